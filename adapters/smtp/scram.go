package smtp

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/wneessen/go-mail/smtp"
)

// maxRounds is how often a server may have the password hashed. RFC 5802 §5.1
// lets it ask for any number, and names 4096 as the least; servers ask for up to
// some 100,000.
const maxRounds = 1_000_000

// boundedScram ends an authentication whose other side asks for too much work:
// what has begun to hash does not end with its context.
type boundedScram struct{ smtp.Auth }

// Next implements [smtp.Auth].
func (s boundedScram) Next(fromServer []byte, more bool) ([]byte, error) {
	for _, attribute := range bytes.Split(fromServer, []byte(",")) {
		text, counts := bytes.CutPrefix(attribute, []byte("i="))
		if !counts || !more {
			continue
		}
		if rounds, err := strconv.Atoi(string(text)); err != nil || rounds < 1 || rounds > maxRounds {
			return nil, unavailable(stepAuth, fmt.Sprintf("the server does not ask for 1 to %d iterations of SCRAM; "+
				"check Host and Port, or have it store the password with fewer", maxRounds))
		}
	}
	return s.Auth.Next(fromServer, more)
}
