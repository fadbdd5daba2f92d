//go:build compat

package compat_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
)

// The tutorial's request gives the package that the tutorial prints.
func TestFlaskrTutorial(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	run(t, db, read(t, "flaskr/flaskr.sql"))
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(access("user.provided.identifiable")), datasets(dataset(t, "flaskr/dataset.yml")), pgConnection(db, "flaskr_postgres_dataset"))
	req := f.run("policy", email("user@example.com"))
	samePackage(t, printed(t), f.pack(req))
	require.Equal(t, prefixed("flaskr_postgres_dataset", counts{"users": 1, "products": 1, "purchases": 1}), found(req))
	require.Empty(t, changes(before, snapshot(t, db, "public")))
}

// printed returns the data package that the tutorial shows.
func printed(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(seedsDir(t), "004_*.txt"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	src, err := os.ReadFile(files[0])
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindAllStringSubmatch(string(src), -1)
	require.Len(t, blocks, 1)
	return blocks[0][1]
}
