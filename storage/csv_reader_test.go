package storage_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// readTable reads a whole table. Cells are shown as their kind and text.
func readTable(in io.Reader) (header [][]string, rows [][]storage.CSVCell, err error) {
	r := storage.NewCSVReader(in)
	if header, err = r.Header(); err != nil {
		return nil, nil, err
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return header, rows, nil
		}
		if err != nil {
			return header, rows, err
		}
		rows = append(rows, append([]storage.CSVCell{}, row...))
	}
}

func missing() storage.CSVCell        { return storage.CSVCell{} }
func text(s string) storage.CSVCell   { return storage.CSVCell{Kind: storage.CSVText, Text: s} }
func jsonOf(s string) storage.CSVCell { return storage.CSVCell{Kind: storage.CSVJSON, Text: s} }

func TestCSVReader(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in     string
		header [][]string
		rows   [][]storage.CSVCell
	}{
		"kinds": {
			mark + "\"a\",\"b\"\r\n,\"\"\r\n1,true\r\n\"1\",\"x\"\r\n\"[1,\"\"x\"\"]\",\"{}\"\r\n",
			[][]string{{"a"}, {"b"}},
			[][]storage.CSVCell{{missing(), text("")}, {jsonOf("1"), jsonOf("true")}, {text("1"), text("x")}, {jsonOf(`[1,"x"]`), jsonOf("{}")}},
		},
		"names": {
			mark + `"a.b","a\.b","a\\.b","'=x.=y","",".","''"` + "\r\n",
			[][]string{{"a", "b"}, {"a.b"}, {`a\`, "b"}, {"=x", "=y"}, {""}, {"", ""}, {"'"}}, nil,
		},
		"no columns": {mark + "\r\n\r\n\r\n", [][]string{}, [][]storage.CSVCell{{}, {}}},
		"one column": {mark + "\"a\"\r\n\r\n\"\"\r\n", [][]string{{"a"}}, [][]storage.CSVCell{{missing()}, {text("")}}},
		"what was added is taken away": {
			mark + "\"a\"\r\n\"'=1\"\r\n\"''\"\r\n\"'[1]\"\r\n\"[1\"\r\n\"x;'=1;'y\n \"\"'@\"\r\n\"it's\"\r\n\"'\t'=1\"\r\n",
			[][]string{{"a"}},
			[][]storage.CSVCell{{text("=1")}, {text("'")}, {text("[1]")}, {text("[1")}, {text("x;=1;y\n \"@")}, {text("it's")}, {text("\t=1")}},
		},
		"saved by another program": {
			"a,b.c\n1,x y\nTRUE,'=1\n007,[1]\n1.0e5,\"q\"\n,",
			[][]string{{"a"}, {"b", "c"}},
			[][]storage.CSVCell{{jsonOf("1"), text("x y")}, {text("TRUE"), text("=1")}, {text("007"), jsonOf("[1]")}, {jsonOf("1.0e5"), text("q")}, {missing(), missing()}},
		},
		"only a header": {"\"a\"", [][]string{{"a"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, in := range []io.Reader{strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in))} {
				header, rows, err := readTable(in)
				require.NoError(t, err)
				require.Equal(t, test.header, header)
				require.Equal(t, test.rows, rows)
			}
		})
	}
}

// Errors say where, and quote nothing.
func TestCSVReaderFails(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                             "storage: the CSV file is empty: a line with the names of the columns is missing",
		mark:                           "storage: the CSV file is empty: a line with the names of the columns is missing",
		"\"a\"\r\n1,2\r\n":             "storage: line 2 of the CSV file has 2 cells, its header has 1",
		"\"a\",\"b\"\r\n1,2\r\n\r\n":   "storage: line 3 of the CSV file has 1 cells, its header has 2",
		"\"a\"\r\n\"x\ny\"\r\n1,2\r\n": "storage: line 4 of the CSV file has 2 cells, its header has 1",
		"\"a\"\r\n\"secret":            "storage: line 2 of the CSV file: a cell begins with a quote and does not end with one",
		"\"a\"\r\n\"secret\"x\r\n":     "storage: line 3 of the CSV file: after the quote that ends a cell comes more than a comma",
	} {
		_, _, err := readTable(strings.NewReader(in))
		require.EqualError(t, err, want, "%q", in)
	}

	whole := mark + "\"a\",\"b\"\r\n1,\"x\"\r\n"
	for size := range len(whole) {
		r := storage.NewCSVReader(io.MultiReader(strings.NewReader(whole[:size]), iotest.ErrReader(errBroken)))
		_, err := r.Header()
		for err == nil {
			_, err = r.Read()
		}
		require.ErrorIs(t, err, errBroken, "after %d bytes", size)
		_, again := r.Read()
		require.Equal(t, err, again, "the error stays")
	}
}

func ExampleCSVReader() {
	r := storage.NewCSVReader(strings.NewReader("\"id\",\"address.city\"\r\n1,\"'=Oslo\"\r\n2,\r\n"))
	columns, _ := r.Header()
	fmt.Println(columns)
	for {
		row, err := r.Read()
		if err != nil {
			return // io.EOF
		}
		fmt.Printf("%+v\n", row)
	}
	// Output:
	// [[id] [address city]]
	// [{Kind:2 Text:1} {Kind:1 Text:=Oslo}]
	// [{Kind:2 Text:2} {Kind:0 Text:}]
}
