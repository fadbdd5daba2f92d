package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// screen prints for people: with colours and a moving bar on a terminal, as
// plain lines everywhere else.
type screen struct {
	out    io.Writer
	live   bool // a terminal: lines can be rewritten
	colour bool
	width  int // where tables end; 0 stands for maxWidth
	number int // of the last heading
}

// newScreen looks at what a file is. A NO_COLOR in the environment that is not
// empty keeps a terminal colourless.
func newScreen(f *os.File) *screen {
	info, err := f.Stat()
	live := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	s := &screen{out: f, live: live, colour: live && os.Getenv("NO_COLOR") == ""}
	if live {
		s.width = min(maxWidth, max(0, columns(f)-4))
	}
	return s
}

// Colours as SGR parameters.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (s *screen) paint(sgr, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (s *screen) strong(text string) string { return s.paint(bold, text) }

func (s *screen) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

func (s *screen) title(name, about string) {
	s.printf("\n%s  %s\n", s.paint(bold+";"+cyan, name), s.paint(dim, about))
}

func (s *screen) heading(text string) {
	s.number++
	s.printf("\n%s  %s\n\n", s.paint(bold+";"+cyan, strconv.Itoa(s.number)), s.strong(text))
}

func (s *screen) line(format string, args ...any) {
	s.printf("   %s\n", fmt.Sprintf(format, args...))
}

func (s *screen) note(text string) { s.line("%s", s.paint(dim, text)) }

// done tells that something is finished.
func (s *screen) done(format string, args ...any) {
	s.line("%s %s", s.paint(green, "✓"), fmt.Sprintf(format, args...))
}

// block prints text that was laid out elsewhere. Names of collections, behind
// a bullet, stand out.
func (s *screen) block(text string) {
	for _, row := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if name, ok := strings.CutPrefix(strings.TrimLeft(row, " "), "• "); ok {
			row = "  • " + s.strong(name)
		} else if strings.HasPrefix(row, "      ") {
			row = s.paint(dim, row)
		}
		s.printf("%s\n", strings.TrimRight("   "+row, " "))
	}
	s.printf("\n")
}

// maxWidth is how wide tables are at most; their last column is cut there.
const (
	maxWidth = 96
	minWidth = 12 // of a column that is cut
)

// table prints rows under a header; columns that hold numbers only stand to
// the right.
func (s *screen) table(header []string, rows [][]string) {
	widths, numeric := make([]int, len(header)), make([]bool, len(header))
	for i, h := range header {
		widths[i], numeric[i] = utf8.RuneCountInString(h), len(rows) > 0
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
			if _, err := strconv.Atoi(row[i]); err != nil && row[i] != none {
				numeric[i] = false
			}
		}
	}
	total := -3
	for _, w := range widths {
		total += w + 3
	}
	limit := maxWidth
	if s.width > 0 {
		limit = s.width
	}
	last := len(widths) - 1
	if over := min(total-limit, widths[last]-minWidth); over > 0 {
		widths[last] -= over
		total -= over
	}
	cells := func(row []string, paint func(column int, text string) string) {
		var b strings.Builder
		for i, text := range row {
			if runes := []rune(text); len(runes) > widths[i] {
				text = string(runes[:widths[i]-1]) + "…"
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i > 0 {
				b.WriteString("   ")
			}
			if numeric[i] {
				b.WriteString(pad + paint(i, text))
			} else {
				b.WriteString(paint(i, text) + pad)
			}
		}
		s.line("%s", strings.TrimRight(b.String(), " "))
	}
	cells(header, func(_ int, text string) string { return s.paint(dim, text) })
	s.line("%s", s.paint(dim, strings.Repeat("─", total)))
	for _, row := range rows {
		cells(row, func(i int, text string) string {
			switch {
			case text == none:
				return s.paint(dim, text)
			case i == len(header)-1 && !numeric[i]:
				return s.paint(dim, text)
			}
			return text
		})
	}
	s.printf("\n")
}

// none stands for zero, so that numbers stand out.
const none = "·"

func count(n int64) string {
	if n == 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}

// list prints names with what they are.
func (s *screen) list(rows [][]string) {
	width := 0
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	for _, row := range rows {
		s.line("%-*s   %s", width, row[0], s.paint(dim, row[1]))
	}
	s.printf("\n")
}

var digest = regexp.MustCompile(`([0-9a-f]{8})[0-9a-f]{56}`)

// change shows a row before and after, with hashes cut short. A row that is the
// same is shown once.
func (s *screen) change(table, before, after string) {
	if before == after {
		s.line("  %-10s %s", table, s.paint(dim, before))
		return
	}
	s.line("%s %-10s %s", s.paint(red, "-"), table, s.paint(dim, before))
	s.line("%s %-10s %s", s.paint(green, "+"), table, digest.ReplaceAllString(after, "$1…"))
}

func (s *screen) gap() { s.printf("\n") }
