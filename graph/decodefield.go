package graph

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (d *decoder) fields(m member, parent string) []*Field {
	var fields []*Field
	lines := make(map[string]int)
	for _, item := range d.list(m, parent) {
		f := d.field(item, parent)
		if f == nil {
			continue
		}
		if first, twice := lines[f.Name]; twice && f.Name != "" {
			d.errorf(item, parent, "the field %q is declared twice: first on line %d", f.Name, first)
		} else {
			lines[f.Name] = f.Pos.Line
		}
		fields = append(fields, f)
	}
	slices.SortStableFunc(fields, func(a, b *Field) int { return cmp.Compare(a.Name, b.Name) })
	return fields
}

func (d *decoder) field(n *yaml.Node, parent string) *Field {
	members, ok := d.mapping(n, parent, "a field")
	if !ok {
		return nil
	}
	f := &Field{Pos: d.pos(n)}
	subject := parent
	if f.Name = d.name(n, members, "name", parent, "a field"); f.Name != "" {
		subject = parent + "." + f.Name
	}
	if len(subject) > maxName {
		d.errorf(n, parent, "the address of a field, dataset:collection.path.to.field, has more than %d bytes", maxName)
		return nil
	}
	for _, m := range members {
		switch m.key {
		case "name", "fides_meta", "fidesops_meta":
		case "description":
			f.Description = d.text(m, subject)
		case "data_categories":
			f.Categories = d.categories(m, subject)
		case "fields":
			f.Fields = d.fields(m, subject)
		default:
			d.stray(m, inField, subject)
		}
	}
	d.fieldMeta(f, d.meta(members, subject), subject)
	return f
}

// fieldMeta reads what is under a field's fides_meta. Its sub-fields have been
// read before.
func (d *decoder) fieldMeta(f *Field, members []member, subject string) {
	declared := make(map[string]member, len(members))
	for _, m := range members {
		declared[m.key] = m
		switch m.key {
		case "references":
			f.References = d.references(m, subject)
		case "identity":
			f.Identity = d.text(m, subject)
		case "primary_key":
			f.PrimaryKey = d.flag(m, subject)
		case "data_type":
			f.Type = d.dataType(m, subject)
		case "length":
			f.Length = d.positive(m, subject)
		case "return_all_elements":
			f.ReturnAllElements = d.flag(m, subject)
		case "read_only":
			f.ReadOnly = d.flag(m, subject)
		case "custom_request_field":
			f.CustomRequestField = d.text(m, subject)
		case "masking_strategy_override":
			f.Masking = d.fieldMasking(m, subject)
		case "redact":
			f.Redact = d.redact(m, subject)
		default:
			d.stray(m, inFieldMeta, subject)
		}
	}
	if len(f.Fields) > 0 {
		switch f.Type.Kind {
		case Object:
		case Any:
			f.Type.Kind = Object
		default:
			d.errorf(declared["data_type"].value, subject, "a field of type %s cannot have fields: only object and object[] can", f.Type)
		}
	}
	if m := declared["return_all_elements"]; f.ReturnAllElements && !f.Type.Array {
		d.errorf(m.at, subject, "return_all_elements is for arrays: declare a data_type that ends in []")
	}
	if f.Type.Kind == Object {
		d.objectMeta(f, declared, subject)
	}
}

// objectMeta drops what makes no sense of a document: Fides drops it too, but
// does not say so.
func (d *decoder) objectMeta(f *Field, declared map[string]member, subject string) {
	for _, key := range []string{"references", "identity", "primary_key", "length"} {
		if m, ok := declared[key]; ok && !isNull(m.value) {
			d.doubtf(m.at, subject, "%s has no effect on an object: declare it on one of its fields", key)
		}
	}
	f.References, f.Identity, f.PrimaryKey, f.Length = nil, "", false, 0
}

func (d *decoder) dataType(m member, subject string) Type {
	text := d.text(m, subject)
	kind, array := strings.CutSuffix(text, "[]")
	switch t := (Type{Kind: Kind(kind), Array: array}); t.Kind {
	case String, Integer, Float, Boolean, ObjectID, Object:
		return t
	}
	if text != "" {
		d.errorf(m.value, subject, "unknown data_type %q: want string, integer, float, boolean, object_id or object, or one of them with [] behind it", text)
	}
	return Type{}
}

func (d *decoder) references(m member, subject string) []Reference {
	var references []Reference
	for _, item := range d.list(m, subject) {
		members, ok := d.mapping(item, subject, "a reference")
		if !ok {
			continue
		}
		r := Reference{
			Dataset: d.name(item, members, "dataset", subject, "a reference"),
			Field:   d.name(item, members, "field", subject, "a reference"),
			Pos:     d.pos(item),
		}
		for _, m := range members {
			switch m.key {
			case "dataset":
				if r.Dataset != "" && !validKey(r.Dataset) {
					d.errorf(m.value, subject, "a reference's dataset %q is not the key of a dataset", r.Dataset)
				}
			case "field":
				path := strings.Split(r.Field, ".")
				if r.Field != "" && (len(path) < 2 || slices.Contains(path, "")) {
					d.errorf(m.value, subject, "a reference's field %q must be written collection.field", r.Field)
				}
			case "direction":
				r.Direction = Direction(d.text(m, subject))
				if r.Direction != From && r.Direction != To && r.Direction != Undirected {
					d.errorf(m.value, subject, "a reference's direction must be from or to, found %q", r.Direction)
				}
			default:
				d.stray(m, inReference, subject)
			}
		}
		references = append(references, r)
	}
	return references
}

func (d *decoder) fieldMasking(m member, subject string) *Masking {
	masking := d.masking(m, subject)
	if masking == nil {
		return nil
	}
	switch masking.Strategy {
	case StrategyDelete:
		d.errorf(m.value, subject, "the masking strategy delete removes whole rows: declare it on the collection")
	case "hash", "hmac", "aes_encrypt":
		d.errorf(m.value, subject, "the masking strategy %q needs a secret, which a field's override has none of: name it in the policy's rule", masking.Strategy)
	}
	return masking
}
