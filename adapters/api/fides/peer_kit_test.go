package fides_test

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// Tests that are called TestPeer and a number hold what the tests of Fides hold
// that are named at them, TestPeer…Exception where the answer differs on
// purpose. docs/fides.md lists them.

// peerRows are the rows of collections of datasets.
type peerRows map[string]map[string][]map[string]any

// peerOwner finds every row of a test. It is in no package.
const peerOwner = "nia.vale@example.com"

// peerMap is a data map in which every field of the rows is one to hand over.
func peerMap(rows peerRows) string {
	var b strings.Builder
	b.WriteString("dataset:\n")
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&b, "- fides_key: %s\n  collections:\n", key)
		for _, collection := range slices.Sorted(maps.Keys(rows[key])) {
			fmt.Fprintf(&b, "  - name: %s\n    fields:\n    - {name: owner, data_categories: [system.operations], fides_meta: {identity: email}}\n", collection)
			fields := map[string]bool{}
			for _, row := range rows[key][collection] {
				for name := range row {
					fields[name] = true
				}
			}
			for _, name := range slices.Sorted(maps.Keys(fields)) {
				fmt.Fprintf(&b, "    - {name: %s, data_categories: [user]}\n", name)
			}
		}
	}
	return b.String()
}

// peerDesk is a desk over rows, with packages in a folder.
func peerDesk(t *testing.T, format storage.Format, yaml string, rows peerRows) (k *desk, folder string) {
	t.Helper()
	return office(t, func(k *desk) {
		datasets, _, err := graph.LoadFS(fstest.MapFS{"peer.yml": {Data: []byte(yaml)}}, []string{"*.yml"}, nil)
		require.NoError(t, err)
		k.config.Datasets, k.config.Connections = datasets, nil
		for key, collections := range rows {
			owned := map[string][]map[string]any{}
			for name, list := range collections {
				owned[name] = []map[string]any{}
				for _, row := range list {
					row = maps.Clone(row)
					row["owner"] = peerOwner
					owned[name] = append(owned[name], row)
				}
			}
			k.config.Connections = append(k.config.Connections, dsr.Connection{Key: key, Connector: memory.NewConnector(owned, nil), Datasets: []string{key}})
		}
		at := k.config.Destinations["folder"]
		at.Format = format
		k.config.Destinations["folder"] = at
	})
}

// peerPackage is the package of an access request, made while patterns were in
// force.
func peerPackage(t *testing.T, format storage.Format, yaml string, rows peerRows, patterns ...string) map[string]string {
	t.Helper()
	k, folder := peerDesk(t, format, yaml, rows)
	k.send(t, k.token(t), "PUT", patternsAt, patternsOf(t, patterns...)).is(t, http.StatusOK)
	return k.packed(t, folder)
}

// packed takes a request of the owner to its end and returns the files of its
// package; one that is no zip is "".
func (k *desk) packed(t *testing.T, folder string) map[string]string {
	t.Helper()
	a := k.send(t, k.token(t), "POST", "/api/v1/privacy-request", `[{"policy_key":"access","identity":{"email":"`+peerOwner+`"}}]`)
	require.Contains(t, a.Body, `"failed":[]`)
	return filesIn(t, folder, k.advance(t, "pri_1"))
}

// filesIn are the files of the only package of a request.
func filesIn(t *testing.T, folder string, req *dsr.Request) map[string]string {
	t.Helper()
	require.Equal(t, dsr.StatusComplete, req.Status)
	text := packageOf(t, folder, req)
	if !strings.HasSuffix(req.Packages[0].Name, ".zip") {
		return map[string]string{"": text}
	}
	archive, err := zip.OpenReader(filepath.Join(folder, req.Packages[0].Name))
	require.NoError(t, err)
	defer func() { require.NoError(t, archive.Close()) }()
	files := map[string]string{}
	for _, f := range archive.File {
		data, err := fs.ReadFile(archive, f.Name)
		require.NoError(t, err)
		files[f.Name] = string(data)
	}
	return files
}

// docs/fides.md lists every test of Fides that was taken over, and no other.
func TestTheTableOfPeersIsWhatThereIs(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../../docs/fides.md")
	require.NoError(t, err)
	var told, tests []string
	for _, name := range regexp.MustCompile("(?m)^\\|.*\\| `(TestPeer\\w+)` \\| (?:same|exception)").FindAllSubmatch(guide, -1) {
		told = append(told, string(name[1]))
	}
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`(?m)^func (TestPeer\w+)\(`).FindAllSubmatch(source, -1) {
			tests = append(tests, string(name[1]))
		}
	}
	slices.Sort(tests)
	require.Equal(t, tests, told)
	for n := 1; n <= 25; n++ {
		require.Regexp(t, fmt.Sprintf("^TestPeer%02d", n), tests[n-1])
	}
}
