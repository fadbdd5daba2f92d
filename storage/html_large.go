package storage

import (
	"fmt"
	"strconv"
)

// overflow takes what was made of a row that is larger than a page: it has a
// page of its own, which is written while it is made.
func (h *htmlWriter) overflow() error {
	if !h.row.noText {
		if err := h.large(); err != nil {
			return err
		}
		h.row.noText = true
	}
	if _, err := h.stream.Write(h.row.html); err != nil {
		return fmt.Errorf("storage: write the package: %w", err)
	}
	h.row.html = h.row.html[:0]
	return nil
}

// large ends the page before a large row and begins that of the row, which
// waits for the next one: only then it is known what follows. As an archive
// has one open file at a time, the text of the row is found first, in parts.
func (h *htmlWriter) large() error {
	if h.inPage > 0 {
		if err := h.endPage(true); err != nil {
			return err
		}
	}
	number := h.at.Rows + 1
	if h.search.whole() {
		r := htmlRow{texts: h.row.texts, noHTML: true}
		r.full = func() error {
			err := h.search.row(strconv.Itoa(h.at.pages+1), number, r.text)
			r.text = r.text[:0]
			return err
		}
		if err := r.object(h.raw, h.at.fields, 0); err != nil {
			return err
		}
		if err := r.full(); err != nil {
			return err
		}
	}
	page, err := h.pages.newRows(h.at, number, number)
	if err != nil {
		return err
	}
	return h.beginPage(page)
}
