package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/godsr/dsr"
)

const barWidth = 28

// progress is the engine's Progress hook. On a terminal a bar moves while a
// stage lasts; everywhere each stage leaves one line when it is through.
func (s *screen) progress(_ context.Context, p dsr.Progress) {
	if s.live {
		filled := 0
		if p.Total > 0 {
			filled = int(p.Done * barWidth / p.Total)
		}
		bar := s.paint(green, strings.Repeat("█", filled)) + s.paint(dim, strings.Repeat("░", barWidth-filled))
		s.printf("\r\x1b[2K   %-8s %s %d/%d  %s", p.Stage, bar, p.Done, p.Total, s.paint(dim, subjectOf(p)))
	}
	if p.Done < p.Total || p.Total == 0 {
		return
	}
	if s.live {
		s.printf("\r\x1b[2K")
	}
	switch p.Stage {
	case dsr.StageCollect:
		s.done("collected %d collections: %d rows", p.Total, p.Rows)
	case dsr.StageDeliver:
		s.done("delivered the package: %d rows", p.Rows)
	case dsr.StageJournal:
		s.done("journalled every change before making the first: %d rows", p.Rows)
	case dsr.StageErase:
		s.done("erased: %d rows", p.Rows)
	}
	if p.Stage == dsr.StageDeliver || p.Stage == dsr.StageErase {
		s.printf("\n")
	}
}

func subjectOf(p dsr.Progress) string {
	if p.Collection.Collection == "" {
		return ""
	}
	return fmt.Sprintf("%s, %d rows", p.Collection, p.Rows)
}
