package examples_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/connectortest"
	"github.com/godsr/dsr/graph"
)

// blocks returns the fenced blocks of a Markdown file in one language, with
// the line each begins on.
func blocks(t *testing.T, name, language string) (texts []string, lines []int) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	block := -1
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case block < 0 && line == "```"+language:
			block = len(texts)
			texts, lines = append(texts, ""), append(lines, i+2)
		case block >= 0 && line == "```":
			block = -1
		case block >= 0:
			texts[block] += line + "\n"
		}
	}
	return texts, lines
}

// The first Go of the README is the body of Example, which go test runs.
func TestReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "example_test.go", source, 0)
	require.NoError(t, err)
	var body string
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "Example" {
			body = string(source[fset.Position(f.Body.Lbrace).Offset+2 : fset.Position(f.Body.Rbrace).Offset])
		}
	}
	require.NotEmpty(t, body)
	want := strings.TrimPrefix(strings.ReplaceAll("\n"+body, "\n\t", "\n"), "\n")
	texts, lines := blocks(t, "../README.md", "go")
	require.NotEmpty(t, texts)
	require.LessOrEqual(t, lines[0], 25)
	require.Equal(t, want, texts[0])
}

// documents are the files that the tests below hold.
var documents = []string{"../README.md", "../docs/datasets.md", "../docs/erasure.md", "../docs/connectors.md", "../docs/operations.md", "../docs/downloads.md"}

// Every dataset in the documentation loads strictly, and all of one file make
// one data map.
func TestDocumentedDatasetsLoad(t *testing.T) {
	t.Parallel()
	for _, name := range documents {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			texts, _ := blocks(t, name, "yaml")
			var datasets []*graph.Dataset
			for _, text := range texts {
				loaded, diags := graph.Load(filepath.Base(name), []byte(text), &graph.LoadOptions{Strict: true})
				require.NoError(t, diags.Err())
				require.Empty(t, diags)
				datasets = append(datasets, loaded...)
			}
			_, err := graph.NewDataMap(datasets...)
			require.NoError(t, err)
		})
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

// Links within the repository lead somewhere.
func TestDocumentedLinksResolve(t *testing.T) {
	t.Parallel()
	for _, name := range documents {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(name), m[1]))
			require.NoError(t, err, "%s links to %s", name, m[1])
		}
	}
}

// Go in the documentation is Go: each block parses as declarations or as
// statements.
func TestDocumentedGoParses(t *testing.T) {
	t.Parallel()
	for _, name := range documents {
		texts, lines := blocks(t, name, "go")
		for i, text := range texts {
			_, err := parser.ParseFile(token.NewFileSet(), name, "package p\n"+text, 0)
			if err != nil {
				_, err = parser.ParseFile(token.NewFileSet(), name, "package p\nfunc _() {\n"+text+"}\n", 0)
			}
			require.NoError(t, err, "%s:%d", name, lines[i])
		}
	}
}

// docs/connectors.md lists every check of the suite, in its words.
func TestDocumentedChecks(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/connectors.md")
	require.NoError(t, err)
	var want strings.Builder
	for _, c := range connectortest.Checks() {
		want.WriteString("| " + c.Name + " | " + c.Explanation + " |\n")
	}
	_, rows, _ := strings.Cut(string(guide), "| Check | What is promised |\n|---|---|\n")
	rows, _, _ = strings.Cut(rows, "\n## ")
	require.Equal(t, want.String(), rows, "copy the checks into docs/connectors.md")
}

// No table of the guides tells a call twice: one of the rows would be wrong, or
// soon be.
func TestTablesTellCallsOnce(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile("^\\| (`[A-Z]+ /[^|]*?) \\|")
	names, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	found := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		told := map[string]bool{}
		for line := range strings.Lines(string(data)) {
			row := call.FindStringSubmatch(line)
			if row == nil {
				if !strings.HasPrefix(line, "|") {
					clear(told)
				}
				continue
			}
			found++
			require.False(t, told[row[1]], "%s: %s", name, row[1])
			told[row[1]] = true
		}
	}
	require.NotZero(t, found)
}
