package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// guided is an engine over one table, and where its packages go.
func guided() (*dsr.Engine, *packages, error) {
	data := &packages{files: map[string]string{}}
	datasets, found := graph.Load("example.yml", []byte(exampleYAML), nil)
	if err := found.Err(); err != nil {
		return nil, nil, err
	}
	engine, err := dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{{Key: "db", Datasets: []string{"postgres_example"}, Connector: memory.NewConnector(map[string][]row{
			"customer": {{"name": "Jane Customer", "email": "customer-3@example.com", "id": 1}},
		}, nil)}},
		Policies:     []graph.Policy{policy(accessRule())},
		Destinations: map[string]dsr.Destination{"folder": {Storage: &dyingDestination{data, &process{}}}},
		Files:        newShelf(),
		Store:        memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
		NewID: func() string { return "r1" }, Clock: (&clock{now: begin}).Now,
	})
	return engine, data, err
}

func ExampleForms() {
	ctx := context.Background()
	engine, data, err := guided()
	if err != nil {
		fmt.Println(err)
		return
	}
	submission := dsr.Submission{Policy: "p", Identities: dsr.Identities{"email": {"customer-3@example.com"}}}

	// Once, or in Config.Forms:
	forms := engine.Forms()
	_, err = forms.Define(ctx, manual.Form{
		Key: "manual_request_key", Name: "Paper archive", Actions: []manual.Action{manual.Access},
		Fields: []manual.Field{
			{PIIField: "First Name", Label: "first_name"},
			{PIIField: "Last Name", Label: "last_name"},
			{PIIField: "Phone Number"}, // labelled phone_number
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A request stops before anything is queried:
	request, err := engine.Requests().Submit(ctx, submission)
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err = engine.Requests().Advance(ctx, request.ID)
	fmt.Println(request.Status, request.Awaits, err)

	// Somebody looks, says what they found, and lets it go on:
	clerk := dsr.By{Actor: "archive desk"}
	_, err = forms.Resume(ctx, request.ID, clerk)
	var missing *manual.MissingError
	if errors.As(err, &missing) {
		fmt.Println("still missing:", missing.Form)
	}
	body := []byte(`{"first_name": "Jane", "last_name": "Customer"}`)
	if _, err = forms.UploadJSON(ctx, request.ID, "manual_request_key", graph.Access, body, clerk); err != nil {
		fmt.Println(err)
		return
	}
	if _, err = forms.Resume(ctx, request.ID, clerk); err != nil {
		fmt.Println(err)
		return
	}
	request, err = engine.Requests().Advance(ctx, request.ID)
	fmt.Println(request.Status, err)
	fmt.Print(data.file("r1.json"))
	// Output:
	// requires_input [form:access/manual_request_key] <nil>
	// still missing: manual_request_key
	// complete <nil>
	// {
	//   "postgres_example:customer": [
	//     {"email":"customer-3@example.com","id":1,"name":"Jane Customer"}
	//   ],
	//   "manual_request_key": [
	//     {"first_name":"Jane","last_name":"Customer"}
	//   ]
	// }
}

func ExampleAttachments() {
	ctx := context.Background()
	engine, data, err := guided()
	if err != nil {
		fmt.Println(err)
		return
	}
	forms, files, clerk := engine.Forms(), engine.Attachments(), dsr.By{Actor: "archive desk"}
	_, err = forms.Define(ctx, manual.Form{Key: "archive", Fields: []manual.Field{
		{PIIField: "letters", Types: []manual.FieldType{manual.File}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := engine.Requests().Submit(ctx, dsr.Submission{Policy: "p", Identities: dsr.Identities{"email": {"nobody@example.com"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err = engine.Requests().Advance(ctx, request.ID); err != nil {
		fmt.Println(err)
		return
	}

	scan := strings.NewReader("Dear shop")
	file, err := files.Add(ctx, request.ID, "letter.txt", "text/plain", false, scan, clerk)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = forms.Upload(ctx, request.ID, "archive", graph.Access, map[string]any{"letters": []string{file.ID}}, clerk)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = files.Comment(ctx, request.ID, "", "Two older letters were destroyed in 2021.", true, clerk)
	if err != nil {
		fmt.Println(err)
		return
	}

	if _, err = forms.Resume(ctx, request.ID, clerk); err != nil {
		fmt.Println(err)
		return
	}
	if _, err = engine.Requests().Advance(ctx, request.ID); err != nil {
		fmt.Println(err)
		return
	}
	_, rows, _ := strings.Cut(data.file("r1.json"), `"archive": [`)
	fmt.Println(strings.TrimSpace(rows))
	// Output:
	// {"letters":[{"content_type":"text/plain","file_name":"letter.txt","path":"attachments/letter.txt","size":9}]}
	//   ],
	//   "comments": [
	//     {"comment":"Two older letters were destroyed in 2021.","time":"2030-01-02T03:04:05Z"}
	//   ],
	//   "attachments": [
	//     {"file_name":"letter.txt","content_type":"text/plain","path":"attachments/letter.txt","content":"RGVhciBzaG9w","size":9}
	//   ]
	// }
}

// The Go of the guide is that of the examples.
func TestGuideToFormsShowsTheExamples(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_forms_test.go")
	require.NoError(t, err)
	guide, err := os.ReadFile("docs/forms.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	require.Len(t, blocks, 2)
	code := strings.ReplaceAll(string(source), "\n\t", "\n")
	for _, block := range blocks {
		require.Contains(t, code, block[1])
	}
}
