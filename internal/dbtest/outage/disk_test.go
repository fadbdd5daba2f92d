package outage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

// long makes notes so long that rows go to the spool, and journals and packages
// need room.
const long = 6 << 10

// diskEnv tells a child process that it may mount disks of its own, which
// nobody else sees and which go with it.
const diskEnv = "DSR_OUTAGE_DISKS"

// Disks fill up in the middle of the work, and there is room again later. Where
// disks may be mounted, these are real ones.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	// The kernel kills the child below when the thread that started it ends,
	// and threads end with the servers of other tests: this one is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Getenv(diskEnv) == "" && mayMount() {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskIsFull$", "-test.v", "-test.timeout=0")
		cmd.Env = append(os.Environ(), diskEnv+"=1")
		cmd.SysProcAttr = ownMounts()
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Logf("%s", output)
		}
		require.NoError(t, err)
		require.Contains(t, string(output), "--- PASS: TestDiskIsFull/real_spool")
		return
	}
	kind := "told"
	if os.Getenv(diskEnv) != "" {
		kind = "real"
	}
	disk := func(t *testing.T, megabytes int) *disk {
		t.Helper()
		d := &disk{dir: filepath.Join(t.TempDir(), "disk")}
		require.NoError(t, os.Mkdir(d.dir, 0o700))
		if kind == "real" {
			d.real = true
			mount(t, d.dir, megabytes)
		}
		return d
	}
	t.Run(kind+" spool", func(t *testing.T) {
		t.Parallel()
		d := disk(t, 4)
		w := newWorld(t, setup{long: long, spoolDir: filepath.Join(d.dir, "spool"), wrap: func(c *dsr.Config) { c.Spool = &fullSpool{c.Spool, d} }})
		w.overflow(d, "collected shop:customers", 2)
		w.waiting(2, "no space left on device")
		w.finish(d)
	})
	t.Run(kind+" packages", func(t *testing.T) {
		t.Parallel()
		d := disk(t, 8)
		w := newWorld(t, setup{long: long, packageDir: filepath.Join(d.dir, "packages"), wrap: func(c *dsr.Config) {
			c.Destinations["folder"] = dsr.Destination{Storage: &fullFolder{c.Destinations["folder"].Storage, d}}
		}})
		w.overflow(d, "before deliver", 2)
		w.waiting(2, "no space left on device")
		w.finish(d)
	})
	t.Run(kind+" SQLite store", func(t *testing.T) {
		t.Parallel()
		d := disk(t, 16)
		w := newWorld(t, setup{long: long, storeDir: filepath.Join(d.dir, "store"), wrap: func(c *dsr.Config) { c.Store = &fullStore{c.Store, d} }})
		w.overflow(d, "before journal", 2)
		w.failing("the store failed")
		w.finish(d)
	})
	t.Run(kind+" SQLite shop", func(t *testing.T) {
		t.Parallel()
		d := disk(t, 32)
		db := product{dialect: sqlconn.SQLite}.open(t, "file:"+filepath.Join(d.dir, "shop.db")+
			"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(300000)&_pragma=foreign_keys(1)&_txlock=immediate")
		w := newWorld(t, setup{long: long, shop: db, dialect: sqlconn.SQLite, wrap: d.connector})
		w.overflow(d, "before apply ", 2)
		w.waiting(1, "the database has no room left")
		w.finish(d)
	})
	t.Run(kind+" PostgreSQL shop", func(t *testing.T) {
		t.Parallel()
		p, d := products()[0], disk(t, 64)
		server, err := p.start("", nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, server.Close()) })
		d.tablespace(t, server)
		w := newWorld(t, setup{long: long, shop: p.open(t, server.DSN("shop")), dialect: p.dialect, wrap: d.connector})
		// What a transaction frees it cannot use itself, but there may be
		// some left in the files: every write takes more than that.
		for _, s := range []string{"ADD COLUMN pad text DEFAULT repeat('x', 7000)", "ALTER COLUMN pad SET STORAGE EXTERNAL"} {
			_, err := w.setup.shop.ExecContext(t.Context(), "ALTER TABLE audit "+s)
			require.NoError(t, err)
		}
		w.overflow(d, "before apply ", 2)
		w.waiting(1, "the database has no room left")
		w.finish(d)
	})
}

// overflow runs the engine and fills the disk when a point is passed.
func (w *world) overflow(d *disk, point string, nth int) {
	w.t.Helper()
	w.full = d
	full := w.arm(point, nth, d.fill, nil)
	w.run()
	w.happened(full)
}

// finish makes room and waits until all is done by itself.
func (w *world) finish(d *disk) {
	w.t.Helper()
	w.visible()
	require.NoError(w.t, d.free())
	w.finished()
	w.check()
}

// disk can be filled. One that is not real only says so.
type disk struct {
	dir  string
	real bool
	mu   sync.Mutex // of the ballast
	full atomic.Bool
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill takes all room that is left.
func (d *disk) fill() error {
	d.full.Store(true)
	return d.again()
}

// again takes the room that has become free since the disk was filled.
func (d *disk) again() error {
	if d == nil || !d.real || !d.full.Load() {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.full.Load() {
		return nil
	}
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for _, size := range []int{64 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

func (d *disk) free() error {
	d.full.Store(false)
	if !d.real {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return os.Remove(d.ballast())
}

// told is the error of a disk that is not real.
func (d *disk) told() error {
	if d.full.Load() {
		return &fs.PathError{Op: "write", Path: d.dir, Err: syscall.ENOSPC}
	}
	return nil
}

// tablespace makes the database "shop", on the disk if it is real.
func (d *disk) tablespace(t *testing.T, server *dbtest.Server) {
	t.Helper()
	if !d.real {
		require.NoError(t, server.CreateDatabase(t.Context(), "shop"))
		return
	}
	info, err := os.Stat(server.Dir())
	require.NoError(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	require.NoError(t, os.Chown(d.dir, int(owner.Uid), int(owner.Gid)))
	for path := d.dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		require.NoError(t, os.Chmod(path, 0o755)) // the server has to get there
	}
	db, err := server.Open("")
	require.NoError(t, err)
	for _, s := range []string{"CREATE TABLESPACE tiny LOCATION '" + d.dir + "'", "CREATE DATABASE shop TABLESPACE tiny"} {
		_, err = db.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
}

// The parts below pass everything on while their disk is real.

type fullSpool struct {
	dsr.Spool
	disk *disk
}

func (s *fullSpool) Create(ctx context.Context, requestID, part string) (io.WriteCloser, error) {
	w, err := s.Spool.Create(ctx, requestID, part)
	if err != nil {
		return nil, err
	}
	return &fullFile{w, s.disk}, nil
}

type fullFile struct {
	io.WriteCloser
	disk *disk
}

func (f *fullFile) Write(p []byte) (int, error) {
	if err := f.disk.told(); err != nil {
		return 0, err
	}
	return f.WriteCloser.Write(p)
}

type fullFolder struct {
	storage.Destination
	disk *disk
}

func (f *fullFolder) Create(ctx context.Context, name string) (storage.Upload, error) {
	up, err := f.Destination.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &fullUpload{up, f.disk}, nil
}

type fullUpload struct {
	storage.Upload
	disk *disk
}

func (u *fullUpload) Write(p []byte) (int, error) {
	if err := u.disk.told(); err != nil {
		return 0, err
	}
	return u.Upload.Write(p)
}

type fullStore struct {
	dsr.Store
	disk *disk
}

func (s *fullStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if err := s.disk.told(); err != nil {
		return err
	}
	return s.Store.Commit(ctx, ch)
}

// connector takes the place of that of the shop.
func (d *disk) connector(c *dsr.Config) {
	c.Connections[0].Connector = &fullConnector{c.Connections[0].Connector, d}
}

type fullConnector struct {
	dsr.Connector
	disk *disk
}

func (c *fullConnector) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	if c.disk.full.Load() && !c.disk.real {
		return nil, fmt.Errorf("%w: the database has no room left", dsr.ErrUnavailable)
	}
	return c.Connector.Apply(ctx, ch)
}

func TestDiskIsToldFull(t *testing.T) {
	t.Parallel()
	d := &disk{dir: "d"}
	require.NoError(t, d.told())
	require.NoError(t, d.fill())
	require.ErrorIs(t, d.told(), syscall.ENOSPC)
	require.True(t, strings.HasSuffix(d.told().Error(), "no space left on device"))
	require.NoError(t, d.free())
	require.NoError(t, d.told())
}
