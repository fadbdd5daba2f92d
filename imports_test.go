package dsr_test

import (
	"bytes"
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	ownModule    = "github.com/godsr/dsr"
	maxModules   = 20  // that the root module may bring into a host's build list
	maxFileLines = 500 // of one Go file
)

// coreTrees are the packages that import nothing of ours but internal ones.
var coreTrees = []string{"graph", "redact", "manual", "storage"}

// confined maps a foreign package to the only trees that may import it.
var confined = map[string][]string{
	"github.com/Masterminds/squirrel": {"internal/sqlstore", "adapters/sqlconn"},
	"github.com/dlclark/regexp2":      {"redact"},
}

// testOnly are imported by tests and by packages whose name ends in "test".
var testOnly = []string{"testing", "github.com/stretchr/testify"}

// sourceFile is what the rules look at. Paths are relative to the repository,
// with slashes; the root package's directory is ".".
type sourceFile struct {
	dir, name, pkg string
	imports        []string
	lines          int
}

func (f sourceFile) test() bool { return strings.HasSuffix(f.name, "_test.go") }

// within tells whether a slash path is a tree's root or below it.
func within(tree, dir string) bool { return dir == tree || strings.HasPrefix(dir, tree+"/") }

// treeOf is the part of the repository that counts as one when it imports
// itself: "graph", "internal", "adapters/memory", "examples", "." for the root.
func treeOf(dir string) string {
	parts := strings.Split(dir, "/")
	if parts[0] == "adapters" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// violations tells each rule that a file breaks. support lists the nested
// modules below internal: nothing that ships can require them, so they hold
// only test support and may import everything but the examples.
func violations(f sourceFile, support []string) []string {
	inSupport := func(dir string) bool {
		return slices.ContainsFunc(support, func(tree string) bool { return within(tree, dir) })
	}
	var found []string
	report := func(imported, rule string) {
		found = append(found, fmt.Sprintf("%s imports %s: %s", path.Join(f.dir, f.name), imported, rule))
	}
	for _, imported := range f.imports {
		if target, ours := strings.CutPrefix(imported+"/", ownModule+"/"); ours {
			target = cmp.Or(strings.TrimSuffix(target, "/"), ".")
			if rule := brokenLayer(f, target, inSupport); rule != "" {
				report(imported, rule)
			}
			continue
		}
		if f.test() {
			continue
		}
		for confinedPath, trees := range confined {
			if within(confinedPath, imported) && !slices.ContainsFunc(trees, func(tree string) bool { return within(tree, f.dir) }) {
				report(imported, "only "+strings.Join(trees, ", ")+" may")
			}
		}
		for _, tool := range testOnly {
			if within(tool, imported) && !strings.HasSuffix(f.pkg, "test") {
				report(imported, "only tests and packages whose name ends in test may")
			}
		}
	}
	return found
}

// brokenLayer names the rule that an import of our own package breaks, or is
// empty.
func brokenLayer(f sourceFile, target string, inSupport func(string) bool) string {
	from, to := treeOf(f.dir), treeOf(target)
	switch {
	case to == "examples" && from != "examples":
		return "nothing imports the examples"
	case f.test() || inSupport(f.dir) || from == "examples" || from == to && !inSupport(target):
		return ""
	case inSupport(target):
		return "only tests import test support"
	case to == "internal":
		return ""
	case from == "internal":
		return "internal packages import only internal ones"
	case slices.Contains(coreTrees, from):
		return from + " imports nothing of ours but internal packages"
	case from == "." && slices.Contains(coreTrees, to):
		return ""
	case from == ".":
		return "the root imports only " + strings.Join(coreTrees, ", ") + " and internal packages"
	case strings.HasPrefix(from, "adapters/") && (to == "." || to == "adapters/internal" || slices.Contains(coreTrees, to)):
		return ""
	case strings.HasPrefix(from, "adapters/"):
		return "an adapter imports the root, " + strings.Join(coreTrees, ", ") + " and internal packages, never another adapter but adapters/internal"
	}
	return "the rules know no such place; give " + from + " one"
}

// repository reads every Go file of every module, and finds the modules.
func repository(t *testing.T) (files []sourceFile, modules []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && file != "." && (name == "testdata" || strings.ContainsAny(name[:1], "._")) {
			return filepath.SkipDir
		}
		dir := path.Dir(filepath.ToSlash(file))
		if name == "go.mod" {
			modules = append(modules, dir)
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		source := sourceFile{dir: dir, name: name, pkg: parsed.Name.Name, lines: bytes.Count(text, []byte("\n"))}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			source.imports = append(source.imports, imported)
		}
		files = append(files, source)
		return nil
	})
	require.NoError(t, err)
	return files, modules
}

func supportModules(modules []string) []string {
	return slices.DeleteFunc(slices.Clone(modules), func(dir string) bool { return !within("internal", dir) })
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	files, modules := repository(t)
	require.Subset(t, modules, []string{".", "examples", "internal/bench", "internal/dbtest"})
	var found []string
	for _, f := range files {
		found = append(found, violations(f, supportModules(modules))...)
	}
	require.Empty(t, found)
}

func TestWorkspaceHoldsEveryModule(t *testing.T) {
	t.Parallel()
	_, modules := repository(t)
	work, err := os.ReadFile("go.work")
	require.NoError(t, err)
	for _, module := range modules {
		if module != "." {
			module = "./" + module
		}
		require.Contains(t, string(work), "\t"+module+"\n")
	}
}

func TestImportRulesSeeViolations(t *testing.T) {
	t.Parallel()
	const (
		layers    = "imports nothing of ours but internal packages"
		root      = "the root imports only"
		internal  = "internal packages import only internal ones"
		adapter   = "never another adapter"
		support   = "only tests import test support"
		examples  = "nothing imports the examples"
		testTools = "only tests and packages whose name ends in test may"
	)
	for _, c := range []struct {
		file    string // directory and name; the package has the directory's name
		imports string // "./x" is ours
		rule    string // empty when the import is allowed
	}{
		{"graph/plan.go", "./internal/value", ""},
		{"graph/plan.go", "./graph/render", ""},
		{"graph/plan.go", ".", layers},
		{"graph/plan.go", "./redact/mask", layers},
		{"graph/plan.go", "./adapters/memory", layers},
		{"redact/mask/hash.go", "./graph", layers},
		{"redact/mask/hash.go", "./redact", ""},
		{"manual/form.go", "./graph", layers},
		{"storage/json.go", "./graph", layers},
		{"storage/json_test.go", "./graph", ""},
		{"internal/seal/seal.go", "./internal/value", ""},
		{"internal/seal/seal.go", "./graph", internal},
		{"internal/seal/seal.go", ".", internal},
		{"internal/seal/seal.go", "./adapters/sqlconn", internal},
		{"internal/seal/seal.go", "./internal/dbtest", support},
		{"internal/seal/seal_test.go", "./internal/dbtest", ""},
		{"internal/dbtest/start.go", "./adapters/sqlconn", ""},
		{"internal/bench/access.go", "./internal/dbtest", ""},
		{"internal/bench/access.go", "./examples/server", examples},
		{"dsr.go", "./graph", ""},
		{"dsr.go", "./internal/seal", ""},
		{"dsr.go", "./adapters/memory", root},
		{"dsr_test.go", "./adapters/memory", ""},
		{"dsr.go", "./examples/server", examples},
		{"dsr_test.go", "./examples/server", examples},
		{"dsr.go", "./newcomer", root},
		{"adapters/sqlconn/read.go", ".", ""},
		{"adapters/sqlconn/read.go", "./graph", ""},
		{"adapters/sqlconn/read.go", "./internal/value", ""},
		{"adapters/sqlconn/read.go", "./adapters/memory", adapter},
		{"adapters/sqlconn/read.go", "./adapters/connectortest", adapter},
		{"adapters/sqlconn/read_test.go", "./adapters/connectortest", ""},
		{"adapters/sqlconn/read.go", "./internal/dbtest", support},
		{"adapters/api/fides/routes.go", "./adapters/api/oauth", ""},
		{"adapters/memory/store.go", "./examples/server", examples},
		{"examples/server/main.go", "./adapters/memory", ""},
		{"examples/server/main.go", "./examples/embed", ""},
		{"newcomer/new.go", "./graph", "the rules know no such place"},
		{"adapters/sqlconn/sql.go", "github.com/Masterminds/squirrel", ""},
		{"internal/sqlstore/sql.go", "github.com/Masterminds/squirrel", ""},
		{"storage/json.go", "github.com/Masterminds/squirrel", "only internal/sqlstore, adapters/sqlconn"},
		{"adapters/pgstore/sql.go", "github.com/Masterminds/squirrel", "only internal/sqlstore, adapters/sqlconn"},
		{"redact/name.go", "github.com/dlclark/regexp2", ""},
		{"redact/mask/hash.go", "github.com/dlclark/regexp2/syntax", ""},
		{"graph/load.go", "github.com/dlclark/regexp2", "only redact may"},
		{"graph/load.go", "testing", testTools},
		{"graph/load.go", "testing/fstest", testTools},
		{"graph/load.go", "testingtools", ""},
		{"graph/load_test.go", "testing", ""},
		{"graph/load.go", "github.com/stretchr/testify/require", testTools},
		{"adapters/storetest/suite.go", "testing", ""},
		{"internal/bench/access.go", "testing", testTools},
	} {
		t.Run(c.file+" imports "+c.imports, func(t *testing.T) {
			t.Parallel()
			imported := c.imports
			if ours, ok := strings.CutPrefix(c.imports, "."); ok {
				imported = ownModule + ours
			}
			f := sourceFile{dir: path.Dir(c.file), name: path.Base(c.file), imports: []string{"fmt", imported}}
			f.pkg = path.Base(f.dir)
			found := violations(f, []string{"internal/bench", "internal/dbtest"})
			if c.rule == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0], c.file+" imports "+imported+": ")
			require.Contains(t, found[0], c.rule)
		})
	}
}

func TestFilesStayReadable(t *testing.T) {
	t.Parallel()
	files, _ := repository(t)
	require.NotEmpty(t, files)
	for _, f := range files {
		require.LessOrEqual(t, f.lines, maxFileLines, "%s/%s has too many lines", f.dir, f.name)
	}
}

func TestRootRequiresLittle(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "all")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	output, err := cmd.Output()
	require.NoError(t, err)
	list := strings.Fields(string(output))
	require.Equal(t, ownModule, list[0])
	require.LessOrEqual(t, bytes.Count(output, []byte("\n")), maxModules, string(output))
}
