// Package notices holds the built-in texts of notices: a file for each locale,
// and the page around those that a locale has as plain text only. How the files
// are to be read stands at dsr.TextsOptions.
package notices

import "embed"

// Files are the texts, "<locale>.tmpl", and the page, "page.html".
//
//go:embed *.tmpl page.html
var Files embed.FS
