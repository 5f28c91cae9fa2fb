"""What people see of the front door: the choice of an account, and the refusals."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { display: grid; place-items: center; min-height: 90vh; margin: 0; }
main { width: min(26rem, 90vw); }
button { display: block; width: 100%; margin: .5rem 0; padding: .8rem 1rem; font: inherit; text-align: left;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem; background: transparent;
  color: inherit; cursor: pointer; }
button:hover, button:focus-visible { background: color-mix(in srgb, currentColor 8%, transparent); }
small { opacity: .7; }
"""


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    head = f"<head>{head}<style>{_STYLE}</style></head>"
    return f'<!doctype html><html lang="en">{head}<body><main>{body}</main></body></html>'


def choose(accounts: list[str], state: str, host: str) -> str:
    """The sign-in page: one button an account of the rehearsal's company."""
    buttons = "".join(f'<button name="email" value="{escape(email)}">{escape(email)}</button>' for email in accounts)
    hidden = f'<input type="hidden" name="state" value="{escape(state)}">'
    form = f'<form method="post" action="/signin/choose">{hidden}{buttons}</form>'
    note = "<small>A stand-in for Google's sign-in page: the accounts of the rehearsal's company, no passwords.</small>"
    return _page("Choose an account", f"<h1>Choose an account</h1><p>to go on to <b>{escape(host)}</b></p>{form}{note}")


def denied(email: str, host: str) -> str:
    """IAP's answer to somebody whom its policy does not let in."""
    other = '<p><a href="/_gcp_iap/clear_login_cookie">Use another account</a></p>'
    text = f"<p><b>{escape(email)}</b> has no access to <b>{escape(host)}</b>. Ask its administrators for it.</p>"
    return _page("Access denied", f"<h1>You don't have access</h1>{text}{other}")
