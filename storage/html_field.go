package storage

import "strings"

// htmlField is a declared field: its label, and the fields inside.
type htmlField struct {
	label    []byte
	children map[string]*htmlField
}

// htmlFields are the declared fields of a collection, below one without a name.
func htmlFields(columns []Column, t *Texts) *htmlField {
	root := &htmlField{}
	for _, column := range columns {
		at := root
		for i, name := range column.Path {
			child := at.children[name]
			if child == nil {
				child = &htmlField{}
				if at.children == nil {
					at.children = map[string]*htmlField{}
				}
				at.children[name] = child
			}
			if last := i == len(column.Path)-1; last || child.label == nil {
				var categories []string
				if last {
					categories = column.Categories
				}
				child.label = appendLabel(nil, name, categories, t)
			}
			at = child
		}
	}
	return root
}

func appendLabel(dst []byte, name string, categories []string, t *Texts) []byte {
	if name == "" {
		dst = append(append(append(dst, `<dt><i data-blank>`...), appendHTML(nil, t.Unnamed)...), `</i>`...)
	} else {
		dst = append(appendHTML(append(dst, `<dt><bdi>`...), name), `</bdi>`...)
	}
	if len(categories) > 0 {
		dst = append(appendHTML(append(dst, ` <small>`...), strings.Join(categories, ", ")), `</small>`...)
	}
	return append(dst, `</dt>`...)
}
