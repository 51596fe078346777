/**
 * What a controller writes, as it was found: whose it is, in which version, and where it differs from what was written
 * last; `Contents` is what could be read in it.
 */
export type Owned<Contents> =
  | { readonly state: 'absent' }
  | ({
      readonly state: 'present'
      readonly uid: string
      readonly resourceVersion: string
      /** Written for this object before, offered to it by annotation, or left to it. */
      readonly ours: boolean
      /** For the message when it is not: `Kind/name`, or undefined for somebody else's. */
      readonly owner: string | undefined
      /** Bytes, keys or marks that differ from those wanted, in words. */
      readonly drift: readonly string[]
    } & Contents)
