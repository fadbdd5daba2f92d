package dsr

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// textWidth is where the lines of a plain text are wrapped, in characters.
const textWidth = 72

// blockKind is what a part of a text is.
type blockKind string

const (
	blockParagraph blockKind = "paragraph"
	blockItems     blockKind = "items" // lines that began with "- "
	blockQuote     blockKind = "quote" // lines that began with two spaces
	blockOwn       blockKind = "own"   // such lines with the code or a link of the notice
)

// textBlock is a part of a text between empty lines. A paragraph is one line.
type textBlock struct {
	kind  blockKind
	lines []string
}

// parseBlocks reads what a template of plain text wrote.
func parseBlocks(text string) []textBlock {
	var blocks []textBlock
	open := false // whether the last block can go on
	for line := range strings.SplitSeq(text, "\n") {
		kind := blockParagraph
		switch {
		case strings.HasPrefix(line, "  "):
			kind, line = blockQuote, strings.TrimRight(line[2:], " \t\r")
		case strings.HasPrefix(line, "- "):
			kind, line = blockItems, strings.TrimSpace(line[2:])
		default:
			line = oneLine(line)
		}
		last := len(blocks) - 1
		same := last >= 0 && blocks[last].kind == kind && (open || kind == blockItems)
		switch {
		case line == "" && (kind != blockQuote || !same):
			open = false
			continue
		case !same:
			blocks = append(blocks, textBlock{kind, []string{line}})
		case kind == blockParagraph:
			blocks[last].lines[0] += " " + line
		default:
			blocks[last].lines = append(blocks[last].lines, line)
		}
		open = true
	}
	return blocks
}

// plainText writes blocks for a mail's text.
func plainText(blocks []textBlock) string {
	var b strings.Builder
	for i, block := range blocks {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range block.lines {
			switch {
			case block.kind == blockParagraph:
				line = wrap(line)
			case block.kind == blockItems:
				line = "- " + line
			case line != "":
				line = "  " + line
			}
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// wrap breaks a line at its spaces.
func wrap(line string) string {
	var b strings.Builder
	width := 0
	for word := range strings.SplitSeq(line, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case width == 0:
		case width+1+n > textWidth:
			b.WriteByte('\n')
			width = 0
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String()
}

// noticePage is what the built-in page shows.
type noticePage struct {
	NoticeText
	Blocks []pageBlock
}

type pageBlock struct {
	Kind  blockKind
	Lines [][]span
}

// span is a piece of a line: a link where it has a URL, the verification code,
// or text.
type span struct {
	Text, URL string
	Code      bool
}

// pageBlocks finds the links and the code of a notice in its text. Nothing else
// becomes a link, whatever it looks like.
func pageBlocks(blocks []textBlock, n *Notice) []pageBlock {
	links := map[string]bool{}
	for _, link := range n.Links {
		if u, err := url.Parse(link.URL); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
			links[link.URL] = true
		}
	}
	var out []pageBlock
	for _, block := range blocks {
		shown := pageBlock{Kind: block.kind}
		for _, line := range block.lines {
			spans, special := spansOf(line, n.Code, links)
			if special && block.kind == blockQuote {
				shown.Kind = blockOwn
			}
			shown.Lines = append(shown.Lines, spans)
		}
		out = append(out, shown)
	}
	return out
}

// spansOf splits a line at the words that are a link or the code.
func spansOf(line, code string, links map[string]bool) (spans []span, special bool) {
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			spans = append(spans, span{Text: plain.String()})
			plain.Reset()
		}
	}
	for piece := range strings.SplitAfterSeq(line, " ") {
		word := strings.TrimRight(piece, " ")
		if !links[word] {
			word = strings.TrimRight(word, ".,;:!?)")
		}
		if bare := strings.TrimLeft(word, "("); bare != word {
			plain.WriteString(piece[:len(word)-len(bare)])
			piece, word = piece[len(word)-len(bare):], bare
		}
		switch {
		case word != "" && links[word]:
			flush()
			spans, special = append(spans, span{Text: word, URL: word}), true
		case word != "" && word == code:
			flush()
			spans, special = append(spans, span{Text: word, Code: true}), true
		default:
			word = ""
		}
		plain.WriteString(piece[len(word):])
	}
	flush()
	return spans, special
}
