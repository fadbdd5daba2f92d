package manualtask_test

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/storage"
)

// The archivists are asked for the paper files of those customers whom the shop
// knows by a number below 1000.
func Example() {
	ctx := context.Background()
	archive, err := manualtask.New(&manualtask.Options{Collections: map[string]manualtask.Collection{
		"archive": {
			Title: "Look into the archive", Instructions: "Files lie in the cellar, by customer number.",
			Fields: []manualtask.Field{
				{TaskField: dsr.TaskField{Key: "note", Label: "What the file says"}},
				{TaskField: dsr.TaskField{Key: "found", Label: "There is a file", Type: dsr.TaskCheckbox}},
				{TaskField: dsr.TaskField{Key: "shredded", Label: "The file was shredded", Type: dsr.TaskCheckbox}, For: graph.Erasure},
			},
			Assignees: []string{"archivists"}, Due: 7 * 24 * time.Hour, Remind: 2 * 24 * time.Hour,
			When: &manual.Condition{Address: "shop:customer:id", Operator: manual.Lt, Value: 1000},
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	folder, err := os.MkdirTemp("", "packages")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	engine, err := newEngine(archive, folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := engine.Requests().Submit(ctx, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"jane@example.com"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err = engine.Requests().Advance(ctx, request.ID) // Run does it by itself
	fmt.Println(request.Status, request.Awaits, err)

	// What an archivist sees, and answers:
	for task, err := range engine.Tasks().Open(ctx, dsr.TaskFilter{Assignee: "archivists"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(task.Title, task.Inputs[0].Field, task.Inputs[0].Values)
		values := map[string]any{"note": "a letter of 1998", "found": true}
		task, err = engine.Tasks().Answer(ctx, task.RequestID, task.ID, task.Revision, values, dsr.By{Actor: "archivist"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(task.State)
	}
	request, err = engine.Requests().Advance(ctx, request.ID)
	fmt.Println(request.Status, err)
	// Output:
	// requires_input [task:access/paper:archive] <nil>
	// Look into the archive customer [7]
	// completed
	// complete <nil>
}

// newEngine is one over a shop in memory and people.
func newEngine(people dsr.Connector, folder string) (*dsr.Engine, error) {
	read, _, err := graph.LoadFS(fstest.MapFS{"a.yml": {Data: []byte(datasets)}}, []string{"*.yml"}, nil)
	if err != nil {
		return nil, err
	}
	return dsr.New(dsr.Config{
		Datasets: read,
		Connections: []dsr.Connection{
			{Key: "shop", Datasets: []string{"shop"}, Connector: memory.NewConnector(map[string][]map[string]any{
				"customer": {{"id": 7, "email": "jane@example.com"}, {"id": 8, "email": "john@example.com"}},
			}, nil)},
			{Key: "paper", Datasets: []string{"paper"}, Connector: people},
		},
		Policies: []graph.Policy{
			{Key: "access", Rules: []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}},
		},
		Destinations: map[string]dsr.Destination{"packages": {Storage: storage.NewFolder(folder, nil)}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
	})
}
