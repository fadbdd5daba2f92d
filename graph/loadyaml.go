package graph

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

const (
	// maxDepth bounds the nesting of YAML nodes; a level of sub-fields takes
	// two.
	maxDepth = 200
	// maxAliased bounds the nodes that aliases add to a file, which grow
	// exponentially when anchors hold aliases.
	maxAliased = 100_000
	// maxAliasedBytes bounds the texts among them: one long text can have
	// many aliases.
	maxAliasedBytes = 1 << 20
)

// parse returns the documents of a file that hold something, free of aliases
// and merge keys.
func (d *decoder) parse(src []byte) []*yaml.Node {
	if at, message := illegal(src); at >= 0 {
		d.syntaxError(nodeAt(src, at), message)
		return nil
	}
	var documents []*yaml.Node
	reader := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var document yaml.Node
		switch err := reader.Decode(&document); {
		case errors.Is(err, io.EOF):
			return documents
		case err != nil:
			at, message := syntaxFault(src, err)
			d.syntaxError(at, message)
			return documents
		}
		if len(document.Content) != 1 || document.Content[0].ShortTag() == "!!null" {
			continue
		}
		root, ok := d.expand(document.Content[0], 0, nil, false)
		if ok {
			documents = append(documents, root)
		}
	}
}

// expand returns the node with all aliases and merge keys below it carried
// out. What it cannot carry out it tells; it is false when the document must
// not be read further. open are the anchors around the node, which it may not
// hold again, and copied says that an alias stands for it.
func (d *decoder) expand(n *yaml.Node, depth int, open []*yaml.Node, copied bool) (*yaml.Node, bool) {
	if depth > maxDepth {
		d.errorf(n, "", "nested deeper than %d levels", maxDepth)
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		for _, anchor := range open {
			if anchor == n.Alias {
				d.errorf(n, "", "the anchor %q holds itself", n.Value)
				return nil, false
			}
		}
		return d.expand(n.Alias, depth, append(open, n.Alias), true)
	}
	if copied {
		if d.aliased++; d.aliased > maxAliased {
			d.errorf(n, "", "the aliases of this file stand for more than %d nodes", maxAliased)
			return nil, false
		}
		if d.aliasedBytes += len(n.Value); d.aliasedBytes > maxAliasedBytes {
			d.errorf(n, "", "the aliases of this file stand for more than %d bytes of text", maxAliasedBytes)
			return nil, false
		}
	}
	if n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return n, true
	}
	if n.Anchor != "" {
		open = append(open, n)
	}
	expanded := *n
	expanded.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		var ok bool
		if expanded.Content[i], ok = d.expand(child, depth+1, open, copied); !ok {
			return nil, false
		}
	}
	if n.Kind == yaml.MappingNode {
		expanded.Content = d.merge(expanded.Content)
	}
	return &expanded, true
}

// merge refuses keys that are no text or occur twice, and puts the pairs of
// merge keys behind the mapping's own, which win over them.
func (d *decoder) merge(pairs []*yaml.Node) []*yaml.Node {
	var merged, sources []*yaml.Node
	lines := make(map[string]int)
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		first, twice := lines[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.errorf(key, "", "a key must be text, found %s", found(key))
		case key.ShortTag() == "!!merge" && value.Kind == yaml.SequenceNode:
			sources = append(sources, value.Content...)
		case key.ShortTag() == "!!merge":
			sources = append(sources, value)
		case twice:
			d.errorf(key, "", "the key %s is set twice: first on line %d", key.Value, first)
		default:
			lines[key.Value] = key.Line
			merged = append(merged, key, value)
		}
	}
	for _, source := range sources {
		if source.Kind != yaml.MappingNode {
			d.errorf(source, "", "the merge key << wants a mapping, found %s", found(source))
			continue
		}
		for i := 0; i+1 < len(source.Content); i += 2 {
			key := source.Content[i]
			if _, own := lines[key.Value]; !own {
				lines[key.Value] = key.Line
				merged = append(merged, key, source.Content[i+1])
			}
		}
	}
	return merged
}
