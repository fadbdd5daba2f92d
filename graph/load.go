package graph

import (
	"io/fs"
	"slices"

	"go.yaml.in/yaml/v3"
)

// LoadOptions say how dataset files are judged. The zero value, and nil, mean
// the defaults.
type LoadOptions struct {
	// Strict makes errors of the warnings about keys that are unknown or in
	// the wrong place, and about unknown data categories. Defaults to false,
	// as Fides reads such files.
	Strict bool
	// Taxonomy holds the data categories that the files may name. Defaults
	// to DefaultTaxonomy().
	Taxonomy *Taxonomy
}

// Load reads the datasets of one Fides dataset file: YAML documents with a list
// under "dataset". The name stands in positions only. Collections and fields
// come sorted by name; what is under fides_meta, or its older name
// fidesops_meta, is found in the fields of [Dataset], [Collection] and [Field].
//
// All faults are told at once, but of each file no more than 1,000 errors and
// 1,000 warnings: where there are more, a last one says so. When one of them is
// an error, which [Diagnostics.Err] returns, no dataset is returned; without
// errors there may still be warnings. A YAML syntax error hides what follows it;
// its column is where the text of the line starts.
//
// What a file takes is bounded by its size: nodes may be nested 200 deep, aliases
// may stand for 100,000 nodes with 1 MiB of text, and a name, an address
// (dataset:collection.path.to.field) and the field of a reference may have 1,000
// bytes.
func Load(name string, src []byte, opts *LoadOptions) ([]*Dataset, Diagnostics) {
	l := newLoader(opts)
	l.load(name, src)
	return l.result()
}

// LoadFS reads every file of fsys that one of the patterns matches, as
// [io/fs.Glob] understands them, in the order of their names and each once. A
// fides_key may occur only once in all of them. A pattern that matches no file
// and a file that cannot be read are errors too. The error is
// [Diagnostics.Err] of all files together.
func LoadFS(fsys fs.FS, patterns []string, opts *LoadOptions) ([]*Dataset, Diagnostics, error) {
	l := newLoader(opts)
	fault := func(file, subject, message string) {
		pos := Position{File: file}
		l.diags = append(l.diags, Diagnostic{Severity: Error, Pos: pos, Subject: subject, Message: message})
	}
	var files []string
	for _, pattern := range patterns {
		matches, err := fs.Glob(fsys, pattern)
		switch {
		case err != nil:
			fault("", pattern, "not a file pattern: "+err.Error())
		case len(matches) == 0:
			fault("", pattern, "no file matches this pattern")
		}
		files = append(files, matches...)
	}
	if len(patterns) == 0 {
		fault("", "", "no dataset files are named: want at least one pattern")
	}
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		src, err := fs.ReadFile(fsys, file)
		if err != nil {
			fault(file, "", "the file cannot be read: "+err.Error())
			continue
		}
		l.load(file, src)
	}
	datasets, diags := l.result()
	return datasets, diags, diags.Err()
}

// loader gathers datasets and faults over all files of one load.
type loader struct {
	opts     LoadOptions
	datasets []*Dataset
	keys     map[string]Position // where each fides_key was read first
	diags    Diagnostics
}

func newLoader(opts *LoadOptions) *loader {
	l := &loader{keys: make(map[string]Position)}
	if opts != nil {
		l.opts = *opts
	}
	if l.opts.Taxonomy == nil {
		l.opts.Taxonomy = DefaultTaxonomy()
	}
	return l
}

func (l *loader) result() ([]*Dataset, Diagnostics) {
	if l.diags.Err() != nil {
		return nil, l.diags
	}
	return l.datasets, l.diags
}

func (l *loader) load(name string, src []byte) {
	d := &decoder{loader: l, file: name, idle: make(map[string]bool), near: make(map[Category]Category)}
	documents := d.parse(src)
	for _, document := range documents {
		d.document(document)
	}
	if len(documents) == 0 && len(d.told) == 0 {
		d.errorf(&yaml.Node{Line: 1, Column: 1}, "", `the file is empty: want a list of datasets under "dataset"`)
	}
	l.diags = append(l.diags, d.all()...)
}

// decoder turns the YAML of one file into datasets.
type decoder struct {
	*loader
	teller
	file         string
	idle         map[string]bool       // keys without effect, told once a file
	near         map[Category]Category // what was probably meant by unknown categories
	aliased      int                   // nodes that aliases added
	aliasedBytes int                   // of their texts
}

func (d *decoder) pos(n *yaml.Node) Position {
	return Position{File: d.file, Line: n.Line, Column: n.Column}
}

func (d *decoder) document(n *yaml.Node) {
	var list *member
	members, ok := d.mapping(n, "", "a dataset file")
	if !ok {
		return
	}
	for i, m := range members {
		if m.key == "dataset" {
			list = &members[i]
			continue
		}
		d.stray(m, inFile, "")
	}
	if list == nil {
		d.errorf(n, "", `there is no list of datasets: want one under "dataset"`)
		return
	}
	if isNull(list.value) {
		d.errorf(list.at, "", "the list of datasets is empty")
	}
	for _, item := range d.list(*list, "") {
		if ds := d.dataset(item); ds != nil {
			d.datasets = append(d.datasets, ds)
		}
	}
}
