package graph

import "slices"

// finder finds the fields that references name. It looks at the fields of a
// collection once, however many references there are to it.
type finder struct {
	m      *DataMap
	fields map[int]map[string]foundField // by collection and path
}

type foundField struct {
	path  Path
	field *Field
}

// field finds "collection.path.to.field", also when names hold dots: the shortest
// collection name that leads to a field wins.
func (r *finder) field(dataset, name string) (collection int, path Path, problem string) {
	problem = "no collection of that name"
	for i := 0; i < len(name); i++ {
		if name[i] != '.' {
			continue
		}
		at, ok := r.m.index[Address{dataset, name[:i]}]
		if !ok {
			continue
		}
		problem = "the collection has no such field"
		if found, ok := r.within(at)[name[i+1:]]; ok {
			if len(found.field.Fields) > 0 {
				return 0, nil, "the field is an object; refer to one of its fields"
			}
			return at, found.path, ""
		}
	}
	return 0, nil, problem
}

// within returns the fields of a collection.
func (r *finder) within(collection int) map[string]foundField {
	fields, known := r.fields[collection]
	if !known {
		fields = map[string]foundField{}
		addFields(fields, "", nil, r.m.collections[collection].Fields)
		r.fields[collection] = fields
	}
	return fields
}

// addFields adds fields and what is in them by their paths. When names hold dots
// paths can look the same: a field wins over those in its siblings, and else the
// first.
func addFields(all map[string]foundField, prefix string, parent Path, fields []*Field) {
	for _, f := range fields {
		if _, taken := all[prefix+f.Name]; !taken {
			all[prefix+f.Name] = foundField{append(slices.Clip(parent), f.Name), f}
		}
	}
	for _, f := range fields {
		addFields(all, prefix+f.Name+".", append(slices.Clip(parent), f.Name), f.Fields)
	}
}
