package dsr

import (
	"fmt"

	"github.com/godsr/dsr/storage"
)

// naming is the only way in which packages are called, in Fides' words: after
// the request, and, where there are several, the rule.
const naming = "request_id"

// FolderDestinationType returns a type of destinations that keep packages in a
// local directory, as [storage.NewFolder] does, for Config.DestinationTypes; in
// Fides it is called "local". All destinations of the type share the directory.
// It takes no secrets, and one detail, "naming", which can only be "request_id",
// its default. opts may be nil.
func FolderDestinationType(dir string, opts *storage.FolderOptions) DestinationType {
	return DestinationType{
		Title:   "Local folder",
		Details: []SecretField{{Name: "naming", Title: "Naming", Optional: true}},
		Open: func(s DestinationSettings) (storage.Destination, error) {
			if given := s.Details["naming"]; given != "" && given != naming {
				return nil, fmt.Errorf("naming can only be %q", naming)
			}
			return storage.NewFolder(dir, opts), nil
		},
	}
}
