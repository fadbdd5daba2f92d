package fides

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/godsr/dsr"
)

// extraOf is what front doors keep with a definition: an object in which each
// has names of its own, and leaves those of the others as they are. What is no
// object is somebody else's altogether.
func extraOf(def *dsr.Defined) (parts map[string]json.RawMessage, _ error) {
	if len(def.Extra) > 0 && json.Unmarshal(def.Extra, &parts) != nil {
		return nil, refuse(http.StatusConflict, "The host's code keeps with '%s' what is no object, where this would be kept, too: change it there.", def.Key)
	}
	return parts, nil
}

// keepExtra puts values of the door with a definition, by their names. Empty ones
// are taken away.
func keepExtra(def *dsr.Defined, own map[string]any) error {
	parts, err := extraOf(def)
	if err != nil {
		return err
	}
	if parts == nil {
		parts = map[string]json.RawMessage{}
	}
	for name, value := range own {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("fides: encode %s of %q: %w", name, def.Key, err)
		}
		switch parts[name] = text; string(text) {
		case `null`, `""`, `{}`:
			delete(parts, name)
		}
	}
	if def.Extra = nil; len(parts) == 0 {
		return nil
	}
	if def.Extra, err = json.Marshal(parts); err != nil {
		return fmt.Errorf("fides: encode what is kept with %q: %w", def.Key, err)
	}
	return nil
}
