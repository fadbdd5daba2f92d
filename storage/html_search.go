package storage

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

const (
	// searchLimit is how much text a package can have in bytes to be
	// searched as a whole: a browser has to hold it.
	searchLimit = 64 << 20
	// shardSize is the size of a file of the search index in bytes; the
	// last row goes beyond it.
	shardSize = 1 << 20
)

// htmlSearch writes the search index: files that are loaded as scripts, since a
// page from disk cannot read others in another way. Each calls
//
//	dsrPackage.shard(1,[{"s":"shop","c":"orders","p":"data/shop/orders/","r":[[page,row,"text"],...]},...]);
//
// where rows of attachments are [href,0,"name"]. Once the text is too much no
// further file is written, and index.js says so; those before stay unused.
type htmlSearch struct {
	archive *archive
	shards  int
	size    int64 // of the text
	limit   int64
	buf     []byte
	group   []byte // the head of the collection's rows
	open    bool   // the collection's rows were begun
}

// collection starts the rows of one. The folder is an href.
func (s *htmlSearch) collection(dataset, name, folder string) {
	s.end()
	s.group = appendJS(append(s.group[:0], `{"s":`...), []byte(dataset))
	s.group = appendJS(append(s.group, `,"c":`...), []byte(name))
	s.group = appendJS(append(s.group, `,"p":`...), []byte(folder))
	s.group = append(s.group, `,"r":[`...)
}

// row adds a row; page is a number or a quoted href.
func (s *htmlSearch) row(page string, row int64, text []byte) error {
	if s.size += int64(len(text)); !s.whole() {
		s.buf, s.open = nil, false
		return nil
	}
	switch {
	case s.open:
		s.buf = append(s.buf, ",\n"...)
	case len(s.buf) > 0:
		s.buf = append(append(s.buf, ",\n"...), s.group...)
	default:
		s.buf = append(s.buf, s.group...)
	}
	s.open = true
	s.buf = append(append(s.buf, '['), page...)
	s.buf = strconv.AppendInt(append(s.buf, ','), row, 10)
	s.buf = append(appendJS(append(s.buf, ','), text), ']')
	if len(s.buf) < shardSize {
		return nil
	}
	return s.flush()
}

// whole reports whether all of the package can be searched at once.
func (s *htmlSearch) whole() bool { return s.size <= s.limit }

func (s *htmlSearch) end() {
	if s.open {
		s.buf = append(s.buf, "]}"...)
	}
	s.open = false
}

// flush writes what was gathered as one file.
func (s *htmlSearch) flush() error {
	s.end()
	if len(s.buf) == 0 {
		return nil
	}
	s.shards++
	err := s.write(strconv.Itoa(s.shards), "dsrPackage.shard("+strconv.Itoa(s.shards)+",[", s.buf, "]);\n")
	s.buf = s.buf[:0]
	return err
}

// close writes the last file, and the one that tells how many there are.
func (s *htmlSearch) close() error {
	if err := s.flush(); err != nil {
		return err
	}
	if !s.whole() {
		s.shards = 0
	}
	return s.write("index", fmt.Sprintf(`dsrPackage.index({"shards":%d,"whole":%t});`+"\n", s.shards, s.whole()), nil, "")
}

func (s *htmlSearch) write(name, before string, text []byte, after string) error {
	w, err := s.archive.file("search/"+name+".js", "text/javascript")
	if err != nil {
		return err
	}
	for _, part := range [][]byte{[]byte(before), text, []byte(after)} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("storage: write the package: %w", err)
		}
	}
	return nil
}

// appendJS adds a string as a script and JSON take it. Nothing in it can end a
// script or a line.
func appendJS(dst, s []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if plainBytes[s[i]] {
			i++
			continue
		}
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(s[i:])
		}
		var as string
		coded := false
		switch {
		case c == '\n':
			as = `\n`
		case c == '"':
			as = `\"`
		case c == '\\':
			as = `\\`
		case c == utf8.RuneError && size == 1:
			as = "\uFFFD"
		case c < ' ' || c == '<' || c == '>' || c == '&' || unseen(c):
			as, coded = `\u`, true
		default:
			i += size
			continue
		}
		dst = append(append(dst, s[from:i]...), as...)
		if coded {
			dst = appendHex(dst, c, "0123456789abcdef")
		}
		i += size
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
