/** What a protocol wants before TLS, and the smallest harmless question after it. Dialects are pure: bytes in, bytes out. */

export interface Dialect {
  /** Absent: TLS begins at once. */
  readonly preamble?: Preamble
  readonly alpn?: readonly string[]
  /** Absent: nothing is known that this server answers. */
  readonly question?: Question
}

export interface Preamble {
  /** Sent first. Absent: the server speaks first. */
  readonly opening?: Uint8Array
  /** More than this before TLS is not this protocol, bytes. */
  readonly mostBytes: number
  /**
   * Looks at all that the server has said so far; undefined where that is not yet whole. Throws FaultError, and WireError for
   * bytes that are not this protocol.
   */
  read(said: Uint8Array): Greeted | undefined
}

export interface Greeted {
  /** Bytes of `said` that were used up. More than these came in the clear and are nothing to trust. */
  readonly length: number
  /** Sent before TLS begins. */
  readonly reply?: Uint8Array
  /** What the question needs to know of the greeting. */
  readonly memory?: string
}

export interface Asked {
  /** A user who need not exist; where a protocol logs in, its name stands in the server's log. */
  readonly user: string
  readonly serverName: string
  readonly memory?: string | undefined
}

export interface Question {
  /** Ask even where the verdict is known, because this server counts a connection closed without a login as an attack. */
  readonly always?: boolean
  ask(asked: Asked): Uint8Array
  /**
   * The answer in a few words; undefined where it is not yet whole. `proves`: an answer of this kind comes only from a server
   * that has taken the handshake. Throws WireError.
   */
  read(said: Uint8Array): Answer | undefined
}

export interface Answer {
  readonly words: string
  readonly proves: boolean
  /** Sent before closing, so that the server sees an orderly end. */
  readonly farewell?: Uint8Array
}
