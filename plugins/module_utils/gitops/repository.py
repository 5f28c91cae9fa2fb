"""A Git repository over smart HTTPS, worked on in a temporary clone by the machine's own git.

The password travels in the environment of git's askpass helper: it is in no argument, no URL and no file.
"""

from __future__ import annotations

import os
import stat
import subprocess
import urllib.parse
from pathlib import Path

from .errors import HandOffError

ASKPASS = """#!/bin/sh
case "$1" in
Username*) printf "%s" "$HANDOFF_GIT_USER" ;;
*) printf "%s" "$HANDOFF_GIT_PASSWORD" ;;
esac
"""
DEADLINE_SECONDS = 300


class PushRefused(HandOffError):
    """The branch moved between clone and push."""


class Repository:
    """One branch of the repository at `url`, in the folder `work`/clone once it is cloned."""

    def __init__(self, url: str, branch: str, user: str, password: str, work: Path) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.password:
            raise HandOffError(
                f"the repository's address (host {parts.hostname}) holds a password, which would show in arguments",
                "Leave it out of gitops.repository, and set PLATFORM_GIT_TOKEN (or gitops_token).",
            )
        self.url = url
        self.branch = branch
        self.folder = work / "clone"
        self._password = password
        helper = work / "askpass"
        helper.write_text(ASKPASS)
        helper.chmod(stat.S_IRWXU)
        self._environment = {
            **os.environ,
            "GIT_ASKPASS": str(helper),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HANDOFF_GIT_USER": user,
            "HANDOFF_GIT_PASSWORD": password,
            "LC_ALL": "C",
        }

    def _git(self, *arguments: str, inside: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["git", "-c", "credential.helper=", *arguments]
        where = self.folder if inside else self.folder.parent
        try:
            return subprocess.run(  # noqa: S603  # fixed commands; the URL is an argument, never a shell word
                command,
                cwd=where,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=DEADLINE_SECONDS,
            )
        except FileNotFoundError as error:
            raise HandOffError(
                "could not run git: it is not installed here", "Install git on this computer."
            ) from error
        except subprocess.TimeoutExpired as error:
            message = f"git {arguments[0]} {self.url} did not end within {DEADLINE_SECONDS} s"
            raise HandOffError(message, "Is the Git host reachable from this computer?") from error

    def _failed(self, action: str, outcome: subprocess.CompletedProcess[str]) -> HandOffError:
        reason = (outcome.stderr or outcome.stdout).strip()
        if self._password:
            reason = reason.replace(self._password, "***")
        hint = "Does the repository exist, and may this account write to it?"
        if "Authentication failed" in reason or "403" in reason or "401" in reason:
            hint = "Set gitops.username and PLATFORM_GIT_TOKEN (or gitops_token) to an account that may write to it."
        elif "Could not resolve host" in reason or "Failed to connect" in reason:
            hint = "Is gitops.repository right, and the Git host reachable from this computer?"
        elif "not found" in reason:
            hint = (
                "Create the repository on the Git host (or set gitops.made_on_push, if it does so by itself), correct "
                "gitops.repository, or let the account see it: hosts say so, too, to an account without access."
            )
        return HandOffError(f"could not {action} {self.url} (branch {self.branch}): {reason}", hint)

    def clone(self, *, may_be_missing: bool = False) -> None:
        """Clones the branch's last commit; a branch that isn't there yet starts empty.

        So does, where it `may_be_missing`, a repository that isn't there: some hosts make it on the first push.
        Raises HandOffError with git's reason.
        """
        heads = self._git("ls-remote", "--heads", self.url, f"refs/heads/{self.branch}", inside=False)
        if heads.returncode and not (may_be_missing and "not found" in heads.stderr):
            raise self._failed("read", heads)
        if heads.stdout.strip():
            options = ["--quiet", "--depth=1", "--branch", self.branch, "--single-branch"]
            outcome = self._git("clone", *options, self.url, str(self.folder), inside=False)
            if outcome.returncode:
                raise self._failed("clone", outcome)
            return
        self.folder.mkdir()
        for arguments in (
            ["init", "--quiet", f"--initial-branch={self.branch}"],
            ["remote", "add", "origin", self.url],
        ):
            outcome = self._git(*arguments)
            if outcome.returncode:
                raise self._failed("begin", outcome)

    def revision(self) -> str:
        """The id of the branch's last commit; empty for a branch without one."""
        outcome = self._git("rev-parse", "--verify", "--quiet", "HEAD")
        return outcome.stdout.strip()

    def push(self, message: str, author: str) -> str:
        """Commits everything in the folder and pushes it; returns the new commit's id.

        `author` is "Name <address>". Raises PushRefused when somebody else pushed meanwhile, HandOffError otherwise.
        """
        name, _, address = author.rstrip(">").partition(" <")
        identity = ["-c", f"user.name={name}", "-c", f"user.email={address}", "-c", "commit.gpgsign=false"]
        for arguments in (["add", "--all", "--force"], [*identity, "commit", "--quiet", f"--message={message}"]):
            outcome = self._git(*arguments)
            if outcome.returncode:
                raise self._failed("commit to", outcome)
        outcome = self._git("push", "--quiet", "origin", f"HEAD:refs/heads/{self.branch}")
        if outcome.returncode:
            error = self._failed("push to", outcome)
            if "[rejected]" in outcome.stderr or "fetch first" in outcome.stderr:
                raise PushRefused(str(error), "Run this again.")
            raise error
        return self.revision()
