// Package agecrypt encrypts data packages with age, a format that is specified
// and has programs for every system: whoever knows the passphrase, or has the
// private key that belongs to one of the public keys, opens a package with
// them, without this library.
//
//	engine, err := dsr.New(dsr.Config{Encrypter: agecrypt.New(nil), ...})
//	...
//	request, err := engine.Requests().Submit(ctx, dsr.Submission{
//		Encryption: dsr.Encryption{Passphrase: "twelve characters or more"}, ...})
//
// The package is then called <request>.json.age, and is opened by
//
//	age --decrypt --output package.json package.json.age
//
// Packages of any format and size are encrypted while they are written, in
// little memory. What was cut off or altered does not open.
//
// # Public keys
//
// A public key is a line of one of these kinds. A package that is encrypted for
// several is opened by any one of their private keys:
//
//	age1...                 made by age-keygen
//	age1pq1...              made by age-keygen -pq; only with others of its kind
//	ssh-ed25519 AAAA...     of an SSH key, as in its .pub file
//	ssh-rsa AAAA...         of one with at least 2048 bits
//
// # Passphrases
//
// A passphrase is stretched by scrypt, which takes about a second and 256 MiB
// of memory for a moment, by intent: whoever guesses has to pay that for every
// guess. An [Encrypter] stretches one at a time. Options.WorkFactor asks for
// more or less. Public keys need none of this.
package agecrypt
