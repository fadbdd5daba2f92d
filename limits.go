package dsr

// Limits bound what one request may use.
type Limits struct {
	// Workers is how many collections are visited at once. Defaults to 8.
	Workers int
	// QueryValues is how many input values one query may hold. Defaults
	// to 10,000.
	QueryValues int
	// ChunkRows is how many rows one erasure transaction changes, or
	// fewer: their old and new values together take about 1 MiB at most,
	// except for a single row that takes more. Defaults to 500.
	ChunkRows int
	// CycleRounds is how often a cycle of collections is visited before
	// the request waits for a person. Defaults to 100.
	CycleRounds int
	// CycleValues is how many distinct values a cycle, or the matching of
	// array elements, may hold in memory before the request waits for a
	// person; likewise how many rows of a collection several queries may
	// return again, at 20 bytes each. Defaults to 1,000,000.
	CycleValues int
	// Files is how many files people may attach to a request. Defaults to
	// 1,000.
	Files int
	// FileBytes is how large a file may be that people attach. Defaults to
	// 100 MiB.
	FileBytes int64
	// Attempts is how often rows that others keep changing are collected
	// again before their erasure fails. Defaults to 5.
	Attempts int
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	set(&l.Workers, 8)
	set(&l.QueryValues, 10_000)
	set(&l.ChunkRows, 500)
	set(&l.CycleRounds, 100)
	set(&l.CycleValues, 1_000_000)
	set(&l.Attempts, 5)
	set(&l.Files, 1000)
	if l.FileBytes <= 0 {
		l.FileBytes = 100 << 20
	}
	return l
}
