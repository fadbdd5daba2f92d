package graph

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// meta returns the pairs under fides_meta, or under its older name.
func (d *decoder) meta(members []member, subject string) []member {
	var seen *member
	for i, m := range members {
		if m.key != "fides_meta" && m.key != "fidesops_meta" {
			continue
		}
		if seen != nil {
			d.errorf(m.at, subject, "fides_meta and fidesops_meta are names of one thing: keep one")
			continue
		}
		seen = &members[i]
	}
	if seen == nil || isNull(seen.value) {
		return nil
	}
	pairs, _ := d.mapping(seen.value, subject, seen.key)
	return pairs
}

// maxName bounds the bytes of a name, of an address with all names on the way to
// a field, and of the field of a reference. Databases allow 64 to 300 characters
// for one name.
const maxName = 1000

// name returns the text of a required key, empty after an error.
func (d *decoder) name(n *yaml.Node, members []member, key, subject, what string) string {
	for _, m := range members {
		if m.key != key {
			continue
		}
		switch text := d.text(m, subject); {
		case len(text) > maxName:
			d.errorf(m.value, subject, "the %s of %s has more than %d bytes", key, what, maxName)
			return ""
		case text != "":
			return text
		}
		if isNull(m.value) || m.value.Value == "" && m.value.Kind == yaml.ScalarNode {
			d.errorf(m.value, subject, "the %s of %s is empty", key, what)
		}
		return ""
	}
	d.errorf(n, subject, "%s has no %s", what, key)
	return ""
}

func (d *decoder) dataset(n *yaml.Node) *Dataset {
	members, ok := d.mapping(n, "", "a dataset")
	if !ok {
		return nil
	}
	ds := &Dataset{Pos: d.pos(n)}
	ds.Key = d.name(n, members, "fides_key", "", "a dataset")
	subject, listed := ds.Key, false
	for _, m := range members {
		switch m.key {
		case "fides_key":
			d.datasetKey(m, ds.Key)
		case "name":
			ds.Name = d.text(m, subject)
		case "description":
			ds.Description = d.text(m, subject)
		case "organization_fides_key":
			ds.Organization = d.text(m, subject)
		case "data_categories":
			ds.Categories = d.categories(m, subject)
		case "tags":
			for _, tag := range d.texts(m, subject) {
				ds.Tags = append(ds.Tags, tag.key)
			}
		case "meta":
			if m.value.Kind == yaml.MappingNode {
				ds.Meta, _ = plain(m.value).(map[string]any)
			} else if !isNull(m.value) {
				d.errorf(m.value, subject, "meta must be a mapping, found %s", found(m.value))
			}
		case "collections":
			listed = !isNull(m.value)
			ds.Collections = d.collections(m, ds.Key)
		case "fides_meta", "fidesops_meta":
		default:
			d.stray(m, inDataset, subject)
		}
	}
	if !listed {
		d.errorf(n, subject, "a dataset has no collections: write collections: [] when there are none yet")
	}
	for _, m := range d.meta(members, subject) {
		switch m.key {
		case "resource_id":
			ds.ResourceID = d.text(m, subject)
		case "after":
			for _, key := range d.texts(m, subject) {
				if !validKey(key.key) {
					d.errorf(key.at, subject, "after: %q is not the key of a dataset", key.key)
				}
				ds.After = append(ds.After, key.key)
			}
		case "namespace":
			ds.Namespace = d.namespace(m, subject)
		case "redact":
			ds.Redact = d.redact(m, subject)
		default:
			d.stray(m, inDatasetMeta, subject)
		}
	}
	return ds
}

func (d *decoder) datasetKey(m member, key string) {
	if key == "" {
		return
	}
	if !validKey(key) {
		d.errorf(m.value, key, "the fides_key may hold only letters, digits and _ . < > -")
	}
	if first, twice := d.keys[key]; twice {
		d.errorf(m.value, key, "the fides_key is used twice: first at %s", first)
		return
	}
	d.keys[key] = d.pos(m.value)
}

func (d *decoder) namespace(m member, subject string) map[string]string {
	if isNull(m.value) {
		return nil
	}
	pairs, ok := d.mapping(m.value, subject, m.key)
	if !ok {
		return nil
	}
	namespace := make(map[string]string)
	for _, pair := range pairs {
		switch {
		case pair.value.Kind != yaml.ScalarNode:
			d.errorf(pair.value, subject, "namespace: %s must be a single value, found %s", pair.key, found(pair.value))
		case !isNull(pair.value):
			namespace[pair.key] = pair.value.Value
		}
	}
	return namespace
}

func (d *decoder) redact(m member, subject string) Redact {
	switch r := Redact(d.text(m, subject)); r {
	case RedactDefault, RedactName, RedactNone:
		return r
	default:
		d.errorf(m.value, subject, "redact must be name or none, found %q", r)
		return RedactDefault
	}
}

func (d *decoder) categories(m member, subject string) []Category {
	var categories []Category
	for _, item := range d.texts(m, subject) {
		c := Category(item.key)
		categories = append(categories, c)
		if !validCategory(c) {
			d.errorf(item.at, subject, "%q is not a data category: want letters, digits and _ < > - in segments joined by dots", c)
			continue
		}
		if d.opts.Taxonomy.Has(c) {
			continue
		}
		if !d.hears(d.doubt(), d.pos(item.at)) {
			continue
		}
		if near := d.nearest(c); near != "" {
			d.doubtf(item.at, subject, "unknown data category %s: did you mean %s?", c, near)
		} else {
			d.doubtf(item.at, subject, "unknown data category %s: add it to the taxonomy if it is your own", c)
		}
	}
	return categories
}

func (d *decoder) collections(m member, dataset string) []*Collection {
	var collections []*Collection
	lines := make(map[string]int)
	for _, item := range d.list(m, dataset) {
		c := d.collection(item, dataset)
		if c == nil {
			continue
		}
		if first, twice := lines[c.Name]; twice && c.Name != "" {
			d.errorf(item, dataset, "the collection %q is declared twice: first on line %d", c.Name, first)
		} else {
			lines[c.Name] = c.Pos.Line
		}
		collections = append(collections, c)
	}
	slices.SortStableFunc(collections, func(a, b *Collection) int { return cmp.Compare(a.Name, b.Name) })
	return collections
}

func (d *decoder) collection(n *yaml.Node, dataset string) *Collection {
	members, ok := d.mapping(n, dataset, "a collection")
	if !ok {
		return nil
	}
	c := &Collection{Pos: d.pos(n)}
	subject, listed := dataset, false
	if c.Name = d.name(n, members, "name", dataset, "a collection"); c.Name != "" {
		subject = Address{Dataset: dataset, Collection: c.Name}.String()
	}
	if len(subject) > maxName {
		d.errorf(n, dataset, "the address of a collection, dataset:collection, has more than %d bytes", maxName)
		return nil
	}
	for _, m := range members {
		switch m.key {
		case "name", "fides_meta", "fidesops_meta":
		case "description":
			c.Description = d.text(m, subject)
		case "data_categories":
			c.Categories = d.categories(m, subject)
		case "fields":
			listed = true
			c.Fields = d.fields(m, subject)
		default:
			d.stray(m, inCollection, subject)
		}
	}
	if !listed {
		d.errorf(n, subject, "a collection has no fields: write fields: [] when there are none yet")
	}
	for _, m := range d.meta(members, subject) {
		switch m.key {
		case "after":
			c.After = d.addresses(m, subject)
		case "erase_after":
			c.EraseAfter = d.addresses(m, subject)
		case "skip_processing":
			c.SkipProcessing = d.flag(m, subject)
		case "masking_strategy_override":
			if c.Masking = d.masking(m, subject); c.Masking != nil && c.Masking.Strategy != StrategyDelete {
				d.errorf(m.value, subject, "a collection's masking strategy can only be %s, found %q: mask single fields by an override of their own", StrategyDelete, c.Masking.Strategy)
			}
		case "partitioning":
			if m.value.Kind == yaml.ScalarNode && !isNull(m.value) {
				d.errorf(m.value, subject, "partitioning must be a mapping or a list, found %s", found(m.value))
			}
			c.Partitioning = plain(m.value)
		case "redact":
			c.Redact = d.redact(m, subject)
		default:
			d.stray(m, inCollectionMeta, subject)
		}
	}
	return c
}

// addresses reads a list of dataset.collection. More dots would leave open
// where the dataset's key ends.
func (d *decoder) addresses(m member, subject string) []Address {
	var addresses []Address
	for _, item := range d.texts(m, subject) {
		dataset, collection, _ := strings.Cut(item.key, ".")
		if dataset == "" || collection == "" || strings.Contains(collection, ".") {
			d.errorf(item.at, subject, "%s: %q must be written dataset.collection, with one dot", m.key, item.key)
			continue
		}
		addresses = append(addresses, Address{Dataset: dataset, Collection: collection})
	}
	return addresses
}

func (d *decoder) masking(m member, subject string) *Masking {
	if isNull(m.value) {
		return nil
	}
	pairs, ok := d.mapping(m.value, subject, m.key)
	if !ok {
		return nil
	}
	masking := &Masking{Strategy: d.name(m.value, pairs, "strategy", subject, m.key)}
	for _, pair := range pairs {
		switch pair.key {
		case "strategy":
		case "configuration":
			if pair.value.Kind == yaml.MappingNode {
				masking.Configuration, _ = plain(pair.value).(map[string]any)
			} else if !isNull(pair.value) {
				d.errorf(pair.value, subject, "configuration must be a mapping, found %s", found(pair.value))
			}
		default:
			d.stray(pair, inOverride, subject)
		}
	}
	if masking.Strategy == "" {
		return nil
	}
	return masking
}

// positive returns a whole number above zero; 0 for null.
func (d *decoder) positive(m member, subject string) int {
	if isNull(m.value) {
		return 0
	}
	n, ok := plain(m.value).(int64)
	if !ok || n <= 0 || n > math.MaxInt32 {
		d.errorf(m.value, subject, "%s must be a whole number above 0", m.key)
		return 0
	}
	return int(n)
}
