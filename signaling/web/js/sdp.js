// The two things we look for in a session description (RFC 8866).

/** The DTLS fingerprint (RFC 8122): it names the other side's page, as long as that page lives. @param {string} sdp */
export const fingerprint = (sdp) => (/^a=fingerprint:(.+)$/m.exec(sdp)?.[1] ?? '').trim().toLowerCase();

/** Opus with forward error correction (RFC 7587 section 6.1), where the browser did not ask for it. @param {string} sdp */
export function withFec(sdp) {
  const type = /^a=rtpmap:(\d+) opus\/48000/im.exec(sdp)?.[1];
  if (!type || new RegExp(`^a=fmtp:${type} .*useinbandfec=`, 'm').test(sdp)) return sdp;
  const format = new RegExp(`^(a=fmtp:${type} [^\\r\\n]*)`, 'm');
  if (format.test(sdp)) return sdp.replace(format, '$1;useinbandfec=1');
  return sdp.replace(new RegExp(`^(a=rtpmap:${type} [^\\r\\n]*)`, 'im'), `$1\r\na=fmtp:${type} useinbandfec=1`);
}
