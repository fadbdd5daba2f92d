package examples_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// What the example takes from its host.
var (
	ctx         = context.Background()
	db          = openShop()
	datasetsDir = os.DirFS("embed")
	packages    = must(os.MkdirTemp("", "dsr-example-"))
)

func Example() {
	datasets, _, err := graph.LoadFS(datasetsDir, []string{"*.yml"}, nil) // what the tables hold
	check(err)
	engine, err := dsr.New(dsr.Config{
		Datasets:     datasets,
		Connections:  []dsr.Connection{{Key: "shop", Connector: sqlconn.New(db, sqlconn.SQLite, nil), Datasets: []string{"shop"}}},
		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(packages, nil)}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), // sqlitestore and your own keys in production
	})
	check(err)
	request, err := engine.Requests().Submit(ctx, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	check(err)
	request, err = engine.Requests().Advance(ctx, request.ID)
	check(err)
	fmt.Println(request.Status, request.Packages[0].Rows, "rows")
	// Output: complete 3 rows
}

func TestMain(m *testing.M) {
	code := m.Run()
	check(os.RemoveAll(packages))
	os.Exit(code)
}

func openShop() *sql.DB {
	db := must(sql.Open("sqlite", "file:example?mode=memory&cache=shared"))
	db.SetMaxIdleConns(1)
	must(db.Exec(`
		CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, name TEXT);
		CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, product TEXT, note TEXT);
		INSERT INTO customers VALUES (1, 'Nia.Vale@example.com', 'Nia Vale'), (2, 'ravi.moss@example.com', 'Ravi Moss');
		INSERT INTO orders VALUES (10, 1, 'teapot', NULL), (11, 1, 'cups', 'As a gift'), (12, 2, 'kettle', NULL);`))
	return db
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
