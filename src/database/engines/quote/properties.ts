/** Java property files. */

/**
 * A value, in ASCII: java.util.Properties reads a stream as ISO 8859-1 and a Reader as what it was opened with, and escapes mean
 * the same to both. https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html
 */
export const propertyValue = (text: string): string =>
  text
    .replaceAll('\\', '\\\\')
    .replace(/^[ ]/, '\\ ')
    .replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
