package mask_test

import (
	"fmt"

	"github.com/godsr/dsr/redact/mask"
)

func ExampleNew() {
	s, err := mask.New(mask.StringRewrite, map[string]any{
		"rewrite_value":       "MASKED",
		"format_preservation": map[string]any{"suffix": "@example.com"},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	masked, err := s.Mask("jane@example.com")
	fmt.Println(masked, err)
	fmt.Println(s.Effect().Length)
	// Output:
	// MASKED@example.com <nil>
	// 18
}

func ExampleCheck() {
	fmt.Println(mask.Check(mask.Hash, map[string]any{"algorithm": "MD5", "salt": "pepper"}))
	// Output:
	// mask: strategy "hash": algorithm must be SHA-256 or SHA-512, not "MD5"; unknown key "salt"; the keys are algorithm, format_preservation
}
