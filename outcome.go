package dsr

import "github.com/godsr/dsr/graph"

// CollectionOutcome tells what a request found and did in one collection.
type CollectionOutcome struct {
	Address graph.Address `json:"address"`
	State   graph.State   `json:"state"`
	// Rows counts the data subject's rows, each once.
	Rows int64 `json:"rows"`
	// Uncastable counts input values that the type of a field could not
	// take and that were therefore not asked for.
	Uncastable int64 `json:"uncastable,omitempty"`
	// Targeted counts the rows in which erasure rules found something to
	// change, when the journal was written.
	Targeted int64 `json:"targeted,omitempty"`
	// Masked counts those of them that are erased by now, whether the
	// request wrote them or found them so. When Deleted is set, they are
	// gone from the table; otherwise they hold masked values.
	Masked int64 `json:"masked,omitempty"`
	// Deleted says that the collection's rows are deleted, and not masked.
	// The plan decides it: it is set before the first row is deleted, and
	// also when there was none.
	Deleted bool `json:"deleted,omitempty"`
	// Gone counts targeted rows that had vanished before they could be
	// masked. Where rows are deleted, those count as Masked.
	Gone int64 `json:"gone,omitempty"`
	// Changed rows were changed by others between collection and erasure;
	// they were collected again and then masked, or are still open when
	// State is failed.
	Changed int64 `json:"changed,omitempty"`
	// Shared counts the rows within reach of erasure rules that rows of
	// others refer to as well. Config.SharedRows says whether they were
	// erased; those kept are not among Targeted.
	Shared int64 `json:"shared,omitempty"`
	// MaskedFields are the paths that erasure rules mask, by the plan.
	MaskedFields []string `json:"masked_fields,omitempty"`
	// KeptFields are targeted fields that are kept: primary keys, ends of
	// references, read_only fields.
	KeptFields []string `json:"kept_fields,omitempty"`
	// Message says why the collection was skipped or failed, or why rows of
	// it were left as they are.
	Message string `json:"message,omitempty"`
}

// PackageOutcome tells of one delivered data package.
type PackageOutcome struct {
	// Rule is the key of the access rule.
	Rule string `json:"rule"`
	// Destination is the key of the storage destination.
	Destination string `json:"destination"`
	// Catalogue is the version of the catalogue that the destination was
	// taken from; 0 for one of Config.
	Catalogue int64 `json:"catalogue,omitempty"`
	// Name is the name of the package there, Manifest that of its manifest.
	Name     string `json:"name"`
	Manifest string `json:"manifest"`
	// Bytes is its size and SHA256 its digest in hexadecimal digits.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Rows counts the rows in the package.
	Rows int64 `json:"rows"`
}
