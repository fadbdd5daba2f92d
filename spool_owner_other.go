//go:build !unix

package dsr

import "io/fs"

// Elsewhere each user has a temporary directory of their own.

func ownedByUser(fs.FileInfo) bool { return true }

func closedToOthers(fs.FileInfo) bool { return true }
