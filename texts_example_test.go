package dsr_test

import (
	"fmt"
	"testing/fstest"
	"time"

	"github.com/godsr/dsr"
)

// A host says who it is, and puts one of the built-in texts in words of its own.
// Files come from an embed.FS as a rule.
func ExampleNewTexts() {
	texts, err := dsr.NewTexts(&dsr.TextsOptions{
		Name:    "Shop",
		Contact: "privacy@shop.example",
		Files: fstest.MapFS{"en.tmpl": {Data: []byte(`
{{define "extended.subject"}}{{template "prefix" .}}A little more time, please{{end}}
{{define "extended"}}
Hello,

Your request {{template "what" .}} takes us longer than we thought:

{{quote .Reason}}

You will have an answer by {{date .Deadline}}.

{{template "number" .}}
{{end}}
`)}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	notice := &dsr.Notice{
		Kind: dsr.NoticeExtended, RequestID: "r1", Locale: "en-GB",
		Reason:   "Your data is in many places.",
		Deadline: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
	}
	if err := texts.Render(notice); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(notice.Subject)
	fmt.Println()
	fmt.Print(notice.Text)
	// Output:
	// Shop: A little more time, please
	//
	// Hello,
	//
	// Your request about your personal data takes us longer than we thought:
	//
	//   Your data is in many places.
	//
	// You will have an answer by 1 May 2026.
	//
	// Request number: r1
}
