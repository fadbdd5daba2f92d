package crash_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/storage"
)

//go:embed testdata
var testdata embed.FS

// childEnv makes the test binary a child process: it holds a task.
const childEnv = "DSR_CRASH_TASK"

// requestID is that of the only request.
const requestID = "request-1"

// chunkRows is how many rows one transaction of the erasure writes: few, so that
// there are many places to be cut off at.
const chunkRows = 10

// lease is how long a killed process keeps the request.
const lease = 200 * time.Millisecond

// task is what a child process is to do: take the request as far as it goes.
type task struct {
	Dir     string // store, spool, packages
	Shop    string // the address of the SQLite database
	Dialect sqlconn.Dialect
	CRM     string // the address of the other one
	// KillAt is the number of the point at which the process kills itself;
	// 0 for never.
	KillAt int
	// StopAt is the name of the point at which the process stands still
	// until it is told to go on.
	StopAt string
	// Lease is how long a process keeps the request that does not go on.
	// Defaults to lease.
	Lease time.Duration
	// Ahead is how far the clock of the process is ahead.
	Ahead time.Duration
	// Unjournalled switches the journal off.
	Unjournalled bool
	// Meddle lists what another writer does before the first chunk is
	// applied, one statement for each database.
	Meddle map[string][]string
	// Retry takes up a request that failed.
	Retry bool
}

// result is the last line that a child prints.
type result struct {
	Request *dsr.Request
	Err     string
}

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		if err := child(context.Background(), text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child does its task and prints a line for each point that it passes, then
// the result.
func child(ctx context.Context, text string) (err error) {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	shopDB, err := (&backend{dialect: sqlconn.SQLite, dsn: t.Shop}).open()
	if err != nil {
		return err
	}
	crmDB, err := (&backend{dialect: t.Dialect, dsn: t.CRM}).open()
	if err != nil {
		return err
	}
	store, err := sqlitestore.Open(ctx, filepath.Join(t.Dir, "store", "dsr.db"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close(), shopDB.Close(), crmDB.Close()) }()
	engine, err := t.engine(store, shopDB, crmDB)
	if err != nil {
		return err
	}
	res := result{}
	if res.Request, err = t.advance(t.hooked(ctx, shopDB, crmDB), engine.Requests()); err != nil {
		res.Err = err.Error()
	}
	data, err := json.Marshal(res)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("= %s\n", data)
	return err
}

func (t *task) engine(store dsr.Store, shopDB, crmDB *sql.DB) (*dsr.Engine, error) {
	datasets, _, err := graph.LoadFS(testdata, []string{"testdata/shop.yml", "testdata/crm.yml"}, nil)
	if err != nil {
		return nil, err
	}
	keyring, err := dsr.NewLocalKeyring(bytes.Repeat([]byte("l"), 32), dsr.LocalKey{ID: "k", Key: bytes.Repeat([]byte("k"), 32)})
	if err != nil {
		return nil, err
	}
	return dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{
			{Key: "shop", Connector: sqlconn.New(shopDB, sqlconn.SQLite, nil), Datasets: []string{"shop"}},
			{Key: "crm", Connector: sqlconn.New(crmDB, t.Dialect, nil), Datasets: []string{"crm"}},
		},
		Policies:     []graph.Policy{forget()},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(filepath.Join(t.Dir, "packages"), nil)}},
		Store:        store, Keyring: keyring, Spool: dsr.NewDirSpool(filepath.Join(t.Dir, "spool")),
		Limits: dsr.Limits{ChunkRows: chunkRows}, Lease: cmp.Or(t.Lease, lease),
		Clock: func() time.Time { return time.Now().Add(t.Ahead) }, NewID: func() string { return requestID },
	})
}

// forget hands everything over and masks it, by another strategy for each kind
// of data.
func forget() graph.Policy {
	erase := func(strategy string, targets ...graph.Category) graph.Rule {
		return graph.Rule{Key: strategy, Action: graph.Erasure, Targets: targets, Masking: &graph.Masking{Strategy: strategy}}
	}
	return graph.Policy{Key: "forget", Rules: []graph.Rule{
		{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}},
		erase("hash", "user.name", "user.contact.email"),
		erase("random_string_rewrite", "user.content"),
		erase("null_rewrite", "user.contact.phone_number", "user.contact.address"),
	}}
}

// advance submits the request unless an earlier process has, and waits for the
// lease of that process to run out.
func (t *task) advance(ctx context.Context, requests *dsr.Requests) (*dsr.Request, error) {
	_, err := requests.Get(ctx, requestID)
	if errors.Is(err, dsr.ErrNotFound) {
		_, err = requests.Submit(ctx, dsr.Submission{Policy: "forget", Identities: dsr.Identities{"email": {subject}}})
	}
	if err != nil {
		return nil, err
	}
	if t.Retry {
		if _, err := requests.Retry(ctx, requestID, dsr.By{}); err != nil {
			return nil, err
		}
	}
	tick := time.NewTicker(lease / 20)
	defer tick.Stop()
	for {
		req, err := requests.Advance(ctx, requestID)
		if !errors.Is(err, dsr.ErrLeased) {
			return req, err
		}
		<-tick.C
	}
}

// hooked returns a context under which every point is told, and where the
// process kills itself or another writer comes in between.
func (t *task) hooked(ctx context.Context, shopDB, crmDB *sql.DB) context.Context {
	var points atomic.Int64
	if t.Unjournalled {
		ctx = fault.WithoutJournal(ctx)
	}
	meddled := false
	return fault.WithHook(ctx, func(point string) {
		n := points.Add(1)
		if _, err := os.Stdout.WriteString(point + "\n"); err != nil {
			os.Exit(1)
		}
		if strings.HasPrefix(point, "before apply ") && !meddled {
			meddled = true
			for name, db := range map[string]*sql.DB{"shop": shopDB, "crm": crmDB} {
				for _, statement := range t.Meddle[name] {
					if _, err := db.ExecContext(ctx, statement); err != nil {
						fmt.Fprintln(os.Stderr, err)
						os.Exit(1)
					}
				}
			}
		}
		if point == t.StopAt {
			goOn := make(chan os.Signal, 1)
			signal.Notify(goOn, syscall.SIGCONT)
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			<-goOn // this goroutine may be faster than the signal
		}
		if int(n) == t.KillAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	})
}
