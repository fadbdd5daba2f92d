package pagetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Read reads the rows of an unpacked HTML package back, with their types, by
// "dataset:collection". A row is JSON as [json.Marshal] writes it, its fields in
// the order of the page; numbers are as the page shows them.
func Read(pack fs.FS) (map[string][]string, error) {
	rows := map[string][]string{}
	folders, err := fs.Glob(pack, "data/*/*")
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		for n := 1; ; n++ {
			name, page, err := readPage(pack, path.Join(folder, fmt.Sprintf("page-%d.html", n)))
			if n > 1 && errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err != nil {
				return nil, err
			}
			rows[name] = append(rows[name], page...)
		}
	}
	return rows, nil
}

func readPage(pack fs.FS, file string) (collection string, rows []string, err error) {
	doc, err := Parse(pack, file)
	if err != nil {
		return "", nil, err
	}
	var crumbs []string
	for crumb := range doc.Descendants() {
		if crumb.DataAtom == atom.Li && Attr(crumb.Parent.Parent, "class") == "crumbs" {
			crumbs = append(crumbs, Text(crumb))
		}
	}
	if len(crumbs) != 3 {
		return "", nil, fmt.Errorf("%s names %d places, not three", file, len(crumbs))
	}
	for article := range doc.Descendants() {
		if article.DataAtom != atom.Article {
			continue
		}
		row, err := value(typed(article))
		if err != nil {
			return "", nil, fmt.Errorf("%s, %s: %w", file, Attr(article, "id"), err)
		}
		rows = append(rows, row)
	}
	return crumbs[1] + ":" + crumbs[2], rows, nil
}

// Parse parses a page as a browser does that runs scripts.
func Parse(pack fs.FS, file string) (*html.Node, error) {
	data, err := fs.ReadFile(pack, file)
	if err != nil {
		return nil, err
	}
	return html.Parse(bytes.NewReader(data))
}

// Attr is the value of an attribute; empty for none.
func Attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// Text is the text of an element. A character that is shown by its number is
// that character.
func Text(n *html.Node) string {
	var out strings.Builder
	appendText(&out, n)
	return out.String()
}

func appendText(out *strings.Builder, n *html.Node) {
	if code := Attr(n, "data-char"); code != "" {
		c, _ := strconv.ParseInt(code, 16, 32)
		out.WriteRune(rune(c))
		return
	}
	if n.Type == html.TextNode {
		out.WriteString(n.Data)
	}
	for child := range n.ChildNodes() {
		appendText(out, child)
	}
}

// typed is the outermost element below one that has a type.
func typed(n *html.Node) *html.Node {
	for child := range n.Descendants() {
		if has(child, "data-type") {
			return child
		}
	}
	return nil
}

// value is the JSON that an element with a type shows.
func value(n *html.Node) (string, error) {
	if n == nil {
		return "", errors.New("there is no value")
	}
	blank := has(n, "data-blank")
	switch kind := Attr(n, "data-type"); kind {
	case "null":
		return "null", nil
	case "boolean":
		return Attr(n, "data-value"), nil
	case "number", "json":
		return Text(n), nil
	case "text":
		if blank {
			return `""`, nil
		}
		return quote(Text(n))
	case "array", "object":
		return members(n, kind == "array", blank)
	default:
		return "", fmt.Errorf("a value has the type %q", kind)
	}
}

func members(n *html.Node, array, blank bool) (string, error) {
	var parts []string
	for child := range n.ChildNodes() {
		if child.Type != html.ElementNode || blank {
			continue
		}
		v, err := value(typed(child))
		if err != nil {
			return "", err
		}
		if !array {
			name, err := fieldName(child)
			if err != nil {
				return "", err
			}
			v = name + ":" + v
		}
		parts = append(parts, v)
	}
	if array {
		return "[" + strings.Join(parts, ",") + "]", nil
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

func fieldName(pair *html.Node) (string, error) {
	dt := pair.FirstChild
	if dt == nil || dt.DataAtom != atom.Dt || dt.FirstChild == nil {
		return "", errors.New("a value has no name")
	}
	if has(dt.FirstChild, "data-blank") {
		return `""`, nil
	}
	return quote(Text(dt.FirstChild))
}

func quote(s string) (string, error) {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	if err := enc.Encode(s); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
