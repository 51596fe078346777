/** Text for a terminal. */

/** Names and messages come from arguments, manifests and certificates; a control character among them must not drive the terminal. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')

/** A sentence about what keeps a verb from being done: one line on stderr. */
export const writeProblem = ({ stderr }: { readonly stderr: NodeJS.WriteStream }, text: string): void => {
  stderr.write(`${printable(text)}\n`)
}
