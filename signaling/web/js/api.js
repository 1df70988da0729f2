// The HTTP side: an access token in memory, fetched with the HttpOnly refresh cookie; problems as RFC 9457 says.

import { locale } from './i18n.js';

const EARLY = 30_000; // a token this close to its end is replaced first

/** A refusal, with the server's words for the person. */
export class Problem extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, retry_after?: number, points?: number}} body */
  constructor(status, body) {
    super(body.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? 'internal';
    this.detail = body.detail ?? '';
    this.retryAfter = body.retry_after ?? null;
    this.points = body.points ?? 0;
  }
}

export class Api {
  constructor() {
    this.token = '';
    this.until = 0;
    this.person = ''; // who is signed in
    /** @type {Promise<void> | null} */
    this.refreshing = null;
  }

  /** A one-time ticket for the socket. @returns {Promise<string>} */
  async ticket() {
    return (await this.call('POST', '/v1/socket-ticket')).ticket;
  }

  /**
   * A call as the person who is signed in. Throws Problem, or TypeError when there is no network.
   * @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>}
   */
  async call(method, path, body) {
    if (Date.now() > this.until - EARLY) await this.refresh();
    try {
      return await this.once(method, path, body);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'token_invalid') throw error;
      await this.refresh();
      return await this.once(method, path, body);
    }
  }

  /** Several callers share one refresh. */
  refresh() {
    this.refreshing ??= this.fetchToken().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  async fetchToken() {
    const tokens = await this.once('POST', '/v1/auth/refresh');
    this.token = tokens.access_token;
    this.person = tokens.person.id;
    this.until = Date.now() + tokens.expires_in * 1000;
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async once(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = { Accept: 'application/json', 'Accept-Language': locale };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
    });
    const text = await response.text();
    const answer = text && (response.headers.get('Content-Type') ?? '').includes('json') ? JSON.parse(text) : {};
    if (!response.ok) throw new Problem(response.status, answer);
    return answer;
  }
}
