// Package language knows of languages what texts for people need.
package language

import (
	"slices"
	"strings"
)

// Parent is a language tag without its last part; empty for none.
func Parent(tag string) string {
	return tag[:max(strings.LastIndexByte(tag, '-'), 0)]
}

// RightToLeft reports whether a language, by its tag in BCP 47, is written from
// right to left.
func RightToLeft(tag string) bool {
	parts := strings.Split(strings.ToLower(tag), "-")
	for _, script := range parts[1:] {
		if len(script) == 4 && script[0] > '9' {
			return slices.Contains([]string{"arab", "hebr", "thaa", "syrc", "nkoo", "adlm", "rohg"}, script)
		}
	}
	return slices.Contains([]string{"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"}, parts[0])
}
