package fides

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	definedKey = regexp.MustCompile(`^[a-zA-Z0-9_.<>-]{1,200}$`)
	noWord     = regexp.MustCompile(`[^a-z0-9_\s-]`)
	betweens   = regexp.MustCompile(`[\s-]+`)
)

// keyFault refuses what cannot be a key: also . and .., to which no path leads.
func keyFault(key *string, loc ...any) []fault {
	switch {
	case key == nil:
		return nil
	case *key == "." || *key == "..":
		return []fault{valueFault("FidesKeys must not be '.' or '..': no path leads to them.", loc...)}
	case definedKey.MatchString(*key):
		return nil
	}
	return []fault{valueFault("FidesKeys must only contain alphanumeric characters, '.', '_', '<', '>' or '-'.", loc...)}
}

// givenKey is a key of a body; one left blank stands for none, as in Fides.
func givenKey(key *string) *string {
	if key == nil || strings.TrimSpace(*key) == "" {
		return nil
	}
	return key
}

// keyOr is the key that was given, or else the name in snake_case.
func keyOr(key, name *string) string {
	if key != nil {
		return *key
	}
	plain := noWord.ReplaceAllString(strings.TrimSpace(strings.ToLower(text(name))), "")
	snake := []rune(betweens.ReplaceAllString(plain, "_"))
	return string(snake[:min(len(snake), 200)])
}

// keyTaken, nameTaken and noKey are Fides' words for keys and names. A class is
// Fides' name for what has them.
func keyTaken(key, class string) string {
	return fmt.Sprintf("Key %s already exists in %s. Keys will be snake-cased names if not provided. "+
		"If you are seeing this error without providing a key, please provide a key or a different name.", key, class)
}

// keyTwice is what is said of an entry whose key one before it in the call has:
// both would be answered as the later one left them.
func keyTwice(key string) string {
	return "Key " + key + " is in this call twice: the first of them counts. Change it again in another call."
}

func nameTaken(name, class string) string {
	return fmt.Sprintf("Name %s already exists in %s.", name, class)
}

func noKey(class string) string {
	return class + " requires a key: the name does not make one, which takes letters from a to z, digits or underscores. Please provide a key."
}
