package dsr

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/storage"
)

// configurePeople checks and fills in what has to do with people: forms, files,
// hooks, vendors and texts.
func (e *Engine) configurePeople(faults *multierror.Error) *multierror.Error {
	add := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }
	c := &e.config
	if c.Texts == nil {
		texts, err := NewTexts(nil)
		if err != nil {
			add("Texts: %w", err)
		}
		c.Texts = texts
	}
	e.forms = &Forms{engine: e, forms: map[string]*manual.Form{}}
	for i, form := range c.Forms {
		made, err := e.forms.checked(form)
		switch {
		case err != nil:
			add("Forms: form %d (%q): %w", i+1, form.Key, err)
		case e.forms.forms[made.Key] != nil:
			add("two forms have the key %q", made.Key)
		default:
			e.forms.forms[made.Key] = made
		}
	}
	if c.Files != nil {
		_, opens := c.Files.(storage.Opener)
		_, removes := c.Files.(storage.Remover)
		if !opens || !removes {
			add("Files must be a storage.Opener and a storage.Remover, so that files can be read again and removed; %T is not", c.Files)
		}
	}
	if u, err := url.Parse(c.DownloadURL); c.DownloadURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "") {
		add("DownloadURL is no address like https://privacy.example.com/packages/, to which the token of a link is added")
	}
	for _, key := range slices.Sorted(maps.Keys(c.Hooks)) {
		if !plainKey(key) {
			add("Hooks: key %q must have 1 to 64 letters, digits, dots, dashes and underscores", key)
		}
		if c.Hooks[key] == nil {
			add("Hooks: key %q has no hook", key)
		}
	}
	c.Vendors = slices.Clone(c.Vendors)
	for i := range c.Vendors {
		if err := e.configureVendor(i); err != nil {
			add("Vendors: vendor %d (%q): %w", i+1, c.Vendors[i].Key, err)
		}
	}
	if c.Digest != nil {
		if err := c.Digest.check(c.Clock()); err != nil {
			add("Digest: %w", err)
		}
	}
	if len(c.Vendors) > 0 && c.Notifier == nil {
		add("Vendors needs a Notifier that sends the messages, such as adapters/smtp")
	}
	return faults
}

// plainKey reports whether a key can be a part of the names of messages.
func plainKey(key string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return key != "" && len(key) <= 64 && strings.Trim(key, allowed) == ""
}

// configureVendor checks one vendor, and fills in its schedule.
func (e *Engine) configureVendor(i int) error {
	v := &e.config.Vendors[i]
	var errs []error
	if !plainKey(v.Key) {
		errs = append(errs, errors.New("its key must have 1 to 64 letters, digits, dots, dashes and underscores"))
	}
	if slices.ContainsFunc(e.config.Vendors[:i], func(o Vendor) bool { return o.Key == v.Key }) {
		errs = append(errs, errors.New("another vendor has the same key"))
	}
	if v.Address == "" {
		errs = append(errs, errors.New("it has no address"))
	}
	if len(v.Identities) == 0 {
		errs = append(errs, errors.New("it names no kind of identity by which it knows people"))
	}
	for _, policy := range v.Policies {
		if e.present().policies[policy] == nil {
			errs = append(errs, fmt.Errorf("it names policy %q, which is not among Policies", policy))
		} else if !e.present().erases(policy) {
			errs = append(errs, fmt.Errorf("it names policy %q, which does not erase", policy))
		}
	}
	if v.Name == "" {
		v.Name = v.Key
	}
	if v.Remind < 0 {
		errs = append(errs, errors.New("its Remind is negative"))
	}
	if v.Remind == 0 {
		v.Remind = 30 * 24 * time.Hour
	}
	if v.When == nil {
		v.When = Weekly(time.Monday, 12, 0, nil)
	}
	if err := v.When.check(e.config.Clock()); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
