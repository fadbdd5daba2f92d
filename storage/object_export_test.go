package storage

// Members goes through a JSON object.
func Members(object []byte, yield func(name string, value []byte) error) error {
	return members(object, yield)
}

// Elements goes through a JSON array.
func Elements(array []byte, yield func(value []byte) error) error { return elements(array, yield) }

// Unquote returns the text of a JSON string.
func Unquote(b []byte) (string, error) { return unquote(b) }

// FileNames names the files of a package.
type FileNames struct{ fileNames }

// In returns the path of a file or folder.
func (n *FileNames) In(folder, name, extension string) string { return n.in(folder, name, extension) }

// Reserve keeps a path from being given.
func (n *FileNames) Reserve(path string) { n.reserve(path) }

// Attachment returns the path of an attached file.
func (n *FileNames) Attachment(name string) string { return n.attachment(name) }
