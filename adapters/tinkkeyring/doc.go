// Package tinkkeyring is a [dsr.Keyring] for hosts whose master key lives in a
// key service: AWS KMS, Google Cloud KMS, Vault, or whatever else the Tink
// library has a [tink.AEAD] for.
//
//	sealed, err := tinkkeyring.Create(ctx, master) // once, by hand
//	...
//	keyring, err := tinkkeyring.Open(ctx, sealed, master, nil) // at every start
//	engine, err := dsr.New(dsr.Config{Keyring: keyring, ...})
//
// # What is asked of the key service
//
// A keyring is a set of Tink keys, sealed as one short blob that only the
// master key opens. The host keeps the blob where it likes: in a file, in a
// secret, in its configuration. The service is asked once, when the keyring is
// opened. Every request has four keys to wrap and several hashes to make; were
// the service asked for each, it would be paid for each, and requests would
// stand still whenever it does. The price is that the keys are in the memory
// of the process, where a key service would never show them.
//
// A copy of the blob is needed as long as anything is stored that was made
// with it, and so is the master key: without either, nothing can be opened and
// nobody found.
//
// # Rotation
//
// The keyring has keys that wrap and one that hashes identities. [Rotate] adds
// a key to wrap with; the earlier ones still open what they wrapped. The hash
// key stays the same for ever. Processes that still run with the blob from
// before cannot open what the new key wraps. Where several share a store,
// replace the blob twice: first by that of [Prepare], which adds the key
// without using it, and when every process has it, by that of Rotate.
//
// [Retire] deletes a key, so that what it wrapped can never be opened again.
// [KeyID] tells which key wrapped something. [Reseal] moves the keyring to
// another master key.
//
// All of these take a blob and return a new one. Put it in place of the one it
// was made from only if that is still the current one, or a key that somebody
// else added meanwhile is lost, and what it wrapped with it.
//
// # The sealed keyring
//
// A blob is the bytes "dsr-keyring" and a version, 1; the length of the data
// key, encrypted by the master key, as two bytes, big endian; that encrypted
// data key; and the rest: 12 random bytes, the keys encrypted under the data
// key with AES-256-GCM, and 16 bytes of tag. Name and version are associated
// data for the master key, everything before the rest is for the data key. The
// keys are the length of the keyset that wraps as four bytes, big endian, that
// keyset, and the keyset that hashes, both as Tink's protocol buffers. The
// master key sees 32 bytes however many keys there are, which suits services
// that encrypt only a little at a time.
package tinkkeyring
