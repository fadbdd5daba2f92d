package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
)

// A stream is a version byte, a random salt, and frames. Each frame holds
// frameSize bytes of plaintext, the last one what is left; only the last frame
// of an empty stream is empty. The frames are sealed under a key of their own
// that is derived from key, salt and context. A frame's nonce is its number and
// whether it is the last, which is the STREAM construction of Hoang,
// Reyhanitabar, Rogaway and Vizár (2015): frames cannot be cut off, reordered,
// repeated or added.
const (
	frameSize  = 64 << 10
	saltSize   = 32
	headerSize = 1 + saltSize
)

var errClosed = errors.New("seal: the stream is closed")

// NewWriter returns a writer that seals what it is given into w, in frames of
// 64 KiB. Close writes the last frame and closes w; a stream that was not
// closed cannot be read to its end. After an error nothing more is written, and
// Close returns that error once more. When NewWriter itself fails, it closes w.
func NewWriter(random io.Reader, w io.WriteCloser, key, bound []byte) (io.WriteCloser, error) {
	sealed, err := newWriter(random, w, key, bound)
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	return sealed, nil
}

func newWriter(random io.Reader, w io.WriteCloser, key, bound []byte) (*writer, error) {
	header := make([]byte, headerSize)
	header[0] = versionStream
	if _, err := io.ReadFull(random, header[1:]); err != nil {
		return nil, errors.New("seal: no randomness for a salt")
	}
	aead, err := streamAEAD(key, header[1:], bound)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	return &writer{w: w, aead: aead, buf: make([]byte, 0, frameSize+tagSize)}, nil
}

type writer struct {
	w      io.WriteCloser
	aead   cipher.AEAD
	buf    []byte // plaintext of the frame under way
	nonce  nonce
	err    error
	closed bool
}

func (w *writer) Write(p []byte) (int, error) {
	written := 0
	for w.err == nil && !w.closed && len(p) > 0 {
		// A full frame waits for more, since it may be the last one.
		if len(w.buf) == frameSize {
			w.flush(false)
			continue
		}
		n := min(len(p), frameSize-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		written += n
		p = p[n:]
	}
	if w.closed {
		return written, errClosed
	}
	return written, w.err
}

func (w *writer) flush(last bool) {
	_, w.err = w.w.Write(w.aead.Seal(w.buf[:0], w.nonce.next(last), w.buf, nil))
	w.buf = w.buf[:0]
}

func (w *writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil {
		w.flush(true)
	}
	w.buf = nil
	if err := w.w.Close(); w.err == nil {
		w.err = err
	}
	return w.err
}

// NewReader returns a reader of what [NewWriter] sealed into r. Nothing is
// returned that was not authenticated; a stream that was tampered with ends in
// [ErrOpen], as does one that was cut off. Only a stream read until [io.EOF]
// is known to be whole. Close closes r; when NewReader itself fails, it closes r
// as well.
func NewReader(r io.ReadCloser, key, bound []byte) (io.ReadCloser, error) {
	opened, err := newReader(r, key, bound)
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return opened, nil
}

func newReader(r io.ReadCloser, key, bound []byte) (*reader, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, openError(err)
	}
	if header[0] != versionStream {
		return nil, ErrOpen
	}
	aead, err := streamAEAD(key, header[1:], bound)
	if err != nil {
		return nil, err
	}
	return &reader{r: r, aead: aead, buf: make([]byte, frameSize+tagSize+1)}, nil
}

type reader struct {
	r       io.ReadCloser
	aead    cipher.AEAD
	buf     []byte // a sealed frame, and the first byte of the next
	carried bool   // the last byte of buf is that first byte
	plain   []byte // what is left to return of buf
	nonce   nonce
	err     error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// fill opens the next frame. It reads one byte beyond it to see whether it is
// the last.
func (r *reader) fill() {
	have := 0
	if r.carried {
		r.buf[0] = r.buf[len(r.buf)-1]
		have = 1
	}
	n, err := io.ReadFull(r.r, r.buf[have:])
	last := err == io.EOF || err == io.ErrUnexpectedEOF
	if err != nil && !last {
		r.err = err
		return
	}
	frame := r.buf[:have+n]
	if r.carried = !last; r.carried {
		frame = frame[:len(frame)-1]
	}
	number := r.nonce.next(last)
	if r.plain, err = r.aead.Open(frame[:0], number, frame, nil); err != nil {
		r.plain, r.err = nil, ErrOpen
		return
	}
	if last {
		r.err = io.EOF
	}
}

func (r *reader) Close() error {
	r.plain, r.err = nil, errClosed
	return r.r.Close()
}

// nonce holds the number of a frame in its bytes 3 to 10 and the mark of the
// last one in byte 11.
type nonce struct {
	bytes  [nonceSize]byte
	number uint64
}

func (n *nonce) next(last bool) []byte {
	binary.BigEndian.PutUint64(n.bytes[3:], n.number)
	if last {
		n.bytes[11] = 1
	}
	n.number++
	return n.bytes[:]
}

func streamAEAD(key, salt, bound []byte) (cipher.AEAD, error) {
	if _, err := newAEAD(key); err != nil {
		return nil, err
	}
	subkey, err := hkdf.Key(sha256.New, key, salt, "dsr stream\x00"+string(bound), KeySize)
	if err != nil {
		return nil, err
	}
	return newAEAD(subkey)
}

func openError(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrOpen
	}
	return err
}
