package graph

import "strings"

// Label says what a category is as a data subject would say it, in a language
// by BCP 47, such as "de" or "pt-BR".
func (t *Taxonomy) Label(c Category, _ string) string {
	s := string(c)
	return strings.ReplaceAll(s[strings.LastIndexByte(s, '.')+1:], "_", " ")
}
