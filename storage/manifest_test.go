package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// deliver writes a package and its manifest in the documented order.
func deliver(ctx context.Context, dest storage.Destination, inspect func()) error {
	p, err := storage.Create(ctx, watched{dest, inspect}, storage.PackageOptions{Name: "r1-access", About: &storage.About{}})
	if err != nil {
		return err
	}
	defer func() { _ = p.Abort() }()
	if err := p.Collection(named("shop:customer")); err != nil {
		return err
	}
	if err := p.Row([]byte(`{"id":7}`)); err != nil {
		return err
	}
	return p.Commit(ctx, &storage.Manifest{
		RequestID: "r1", Policy: "access_and_erasure", Rule: "access",
		Created: time.Date(2026, 3, 1, 13, 0, 0, 5000, time.FixedZone("", 3600)),
		Collections: []storage.ManifestCollection{
			{Address: "shop:customer", State: storage.StateDone, Rows: 1},
			{Address: "shop:orders", State: storage.StateDone},
			{Address: "shop:visits", State: storage.StateSkipped, Message: "no <phone> was given"},
			{Address: "shop:wishes", State: storage.StateFailed, Message: "the database does not answer"},
		},
	})
}

// watched inspects a destination before the package becomes visible.
type watched struct {
	storage.Destination
	inspect func()
}

func (w watched) Create(ctx context.Context, name string) (storage.Upload, error) {
	up, err := w.Destination.Create(ctx, name)
	if err != nil || strings.HasSuffix(name, storage.ManifestSuffix) {
		return up, err
	}
	return watchedUpload{up, w.inspect}, nil
}

type watchedUpload struct {
	storage.Upload
	inspect func()
}

func (u watchedUpload) Commit(ctx context.Context) error {
	u.inspect()
	return u.Upload.Commit(ctx)
}

func TestManifestBytesAndOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := storage.NewFolder(dir, nil)
	require.NoError(t, deliver(t.Context(), folder, func() {
		require.FileExists(t, filepath.Join(dir, "r1-access.manifest.json"))
		require.NoFileExists(t, filepath.Join(dir, "r1-access.json"))
	}))
	require.Equal(t, []string{"r1-access.json", "r1-access.manifest.json"}, names(t, dir))
	require.Equal(t, "{\n  \"shop:customer\": [\n    {\"id\":7}\n  ]\n}\n", content(t, dir, "r1-access.json"))
	require.Equal(t, `{
  "version": 1,
  "request_id": "r1",
  "policy": "access_and_erasure",
  "rule": "access",
  "created": "2026-03-01T12:00:00.000005Z",
  "package": "r1-access.json",
  "bytes": 42,
  "sha256": "`+sha256Of(content(t, dir, "r1-access.json"))+`",
  "rows": 1,
  "collections": [
    {
      "address": "shop:customer",
      "state": "done",
      "rows": 1
    },
    {
      "address": "shop:orders",
      "state": "done",
      "rows": 0
    },
    {
      "address": "shop:visits",
      "state": "skipped",
      "rows": 0,
      "message": "no <phone> was given"
    },
    {
      "address": "shop:wishes",
      "state": "failed",
      "rows": 0,
      "message": "the database does not answer"
    }
  ]
}
`, content(t, dir, "r1-access.manifest.json"))
}

func TestManifestOfNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &storage.Manifest{}
	require.NoError(t, storage.WriteManifest(t.Context(), storage.NewFolder(dir, nil), "r1", m))
	require.Contains(t, content(t, dir, "r1.manifest.json"), `"collections": []`)
	require.Zero(t, m.Version, "the caller's value is not changed")
}

// A manifest that cannot be written leaves no package visible.
func TestManifestFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "r1-access.manifest.json"), 0o700))
	err := deliver(t.Context(), storage.NewFolder(dir, nil), func() { t.Error("the manifest was written") })
	require.ErrorContains(t, err, "storage: manifest: storage: folder "+dir+": rename into place: ")
	require.Equal(t, []string{"r1-access.manifest.json"}, names(t, dir))

	err = storage.WriteManifest(t.Context(), storage.NewFolder(dir, nil), "../r1", &storage.Manifest{})
	require.ErrorContains(t, err, "it holds a path separator")

	err = storage.WriteManifest(t.Context(), brokenDestination{folder: storage.NewFolder(dir, nil)}, "r2", &storage.Manifest{})
	require.ErrorContains(t, err, "no space left on device")
	require.Equal(t, []string{"r1-access.manifest.json"}, names(t, dir))
}

// brokenDestination is a folder on a disk that is full.
type brokenDestination struct{ folder *storage.Folder }

func (b brokenDestination) Create(ctx context.Context, name string) (storage.Upload, error) {
	up, err := b.folder.Create(ctx, name)
	if err == nil {
		storage.FillDisk(up, 0)
	}
	return up, err
}
