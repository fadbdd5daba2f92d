package graph

import (
	"slices"
	"strings"
)

// level is a kind of mapping in a dataset file.
type level int

const (
	inFile level = iota
	inDataset
	inDatasetMeta
	inCollection
	inCollectionMeta
	inField
	inFieldMeta
	inReference
	inOverride
)

// levels says what each level is called and which keys it has. The decoder
// knows the keys by itself; these serve to say where a stray one belongs.
var levels = [...]struct {
	name string
	keys []string
}{
	inFile:           {"a dataset file", []string{"dataset"}},
	inDataset:        {"a dataset", []string{"fides_key", "name", "description", "organization_fides_key", "tags", "meta", "data_categories", "collections", "fides_meta", "fidesops_meta"}},
	inDatasetMeta:    {"the fides_meta of a dataset", []string{"resource_id", "after", "namespace", "redact"}},
	inCollection:     {"a collection", []string{"name", "description", "data_categories", "fields", "fides_meta", "fidesops_meta"}},
	inCollectionMeta: {"the fides_meta of a collection", []string{"after", "erase_after", "skip_processing", "masking_strategy_override", "partitioning", "redact"}},
	inField:          {"a field", []string{"name", "description", "data_categories", "fields", "fides_meta", "fidesops_meta"}},
	inFieldMeta:      {"the fides_meta of a field", []string{"references", "identity", "primary_key", "data_type", "length", "return_all_elements", "read_only", "custom_request_field", "masking_strategy_override", "redact"}},
	inReference:      {"a reference", []string{"dataset", "field", "direction"}},
	inOverride:       {"a masking_strategy_override", []string{"strategy", "configuration"}},
}

// idleKeys belong to other uses of Fides and to its older releases, on
// datasets, collections and fields.
var idleKeys = []string{
	"data_purposes", "data_qualifier", "data_subjects", "data_uses", "fidesctl_meta",
	"joint_controller", "meta", "retention", "tags", "third_country_transfers", "version",
}

// otherResources are what a Fides manifest may hold beside datasets.
var otherResources = []string{
	"data_category", "data_qualifier", "data_subject", "data_use", "evaluation",
	"organization", "policy", "registry", "system",
}

// stray tells of a key that its level does not have, and where it belongs.
func (d *decoder) stray(m member, at level, subject string) {
	entity := at == inDataset || at == inCollection || at == inField
	switch {
	case entity && slices.Contains(idleKeys, m.key):
		if !d.idle[m.key] {
			d.idle[m.key] = true
			d.notef(m.at, subject, "the key %s has no effect on requests", m.key)
		}
		return
	case at == inFile && slices.Contains(otherResources, m.key):
		d.notef(m.at, subject, "the key %s is not read: only datasets are", m.key)
		return
	}
	if !d.hears(d.doubt(), d.pos(m.at)) {
		return
	}
	if home, ok := homeOf(m.key, at); ok {
		d.doubtf(m.at, subject, "the key %s has no effect here: it belongs to %s", m.key, home)
		return
	}
	if near, ok := nearKey(m.key, at); ok {
		d.doubtf(m.at, subject, "unknown key %s in %s: did you mean %s?", m.key, levels[at].name, near)
		return
	}
	d.doubtf(m.at, subject, "unknown key %s in %s", m.key, levels[at].name)
}

// homeOf names the level that a stray key belongs to: the other half of the
// same entity, else every level that has it.
func homeOf(key string, at level) (string, bool) {
	has := func(l level) bool { return slices.Contains(levels[l].keys, key) }
	var other level
	switch at {
	case inDataset, inCollection, inField:
		other = at + 1
	case inDatasetMeta, inCollectionMeta, inFieldMeta:
		other = at - 1
	}
	if other != inFile && has(other) {
		return levels[other].name, true
	}
	var homes []string
	for l := range level(len(levels)) {
		if has(l) {
			homes = append(homes, levels[l].name)
		}
	}
	return strings.Join(homes, " or "), len(homes) > 0
}

// nearKey finds the key of a level that was probably meant.
func nearKey(key string, at level) (string, bool) {
	if at == inFieldMeta && key == "type" {
		return "data_type", true
	}
	if len(key) > 40 {
		return "", false
	}
	folded := strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(key))
	best, near := "", min(3, len(key)/2)
	for _, known := range levels[at].keys {
		if n := distance(folded, known, near); n < near {
			best, near = known, n
		}
	}
	return best, best != ""
}
