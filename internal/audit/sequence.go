package audit

import "slices"

// place is where a number stands among those before it.
type place int

const (
	placeNext  place = iota // one after the highest before
	placeAhead              // further: some are missing
	placeLate               // one of the missing ones
	placeAgain              // none of those
)

// span is a run of numbers, both ends included.
type span struct{ from, to int64 }

// sequence follows numbers that should come as 1, 2, 3 and so on. It keeps what
// is missing, because it may still come late.
type sequence struct {
	last int64
	gaps []span
}

// see takes the next number.
func (s *sequence) see(n int64) place {
	if n > s.last {
		found := placeNext
		if n-1 > s.last {
			s.gaps = append(s.gaps, span{s.last + 1, n - 1})
			found = placeAhead
		}
		s.last = n
		return found
	}
	for i, gap := range s.gaps {
		if n < gap.from || n > gap.to {
			continue
		}
		var rest []span
		if gap.from < n {
			rest = append(rest, span{gap.from, n - 1})
		}
		if n < gap.to {
			rest = append(rest, span{n + 1, gap.to})
		}
		s.gaps = slices.Replace(s.gaps, i, i+1, rest...)
		return placeLate
	}
	return placeAgain
}

// maxGaps bounds what is kept of one sequence.
const maxGaps = 256

// surplus takes out the gaps that are given up: the oldest beyond maxGaps, or
// all at the end.
func (s *sequence) surplus(end bool) []span {
	count := len(s.gaps)
	if !end {
		count = max(0, count-maxGaps)
	}
	given := slices.Clone(s.gaps[:count])
	s.gaps = slices.Delete(s.gaps, 0, count)
	return given
}
