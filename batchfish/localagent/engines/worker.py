"""A reading process: jobs on stdin, answers on stdout, until stdin ends or the process is killed."""

from __future__ import annotations

import os
import resource
import sys
from typing import BinaryIO

import msgspec
from lxml.etree import XMLSyntaxError

from batchfish.localagent.engines.frames import (
    BEGUN,
    HEADER,
    OUT_OF_MEMORY,
    Found,
    OutlineJob,
    ReadAnswer,
    ReadJob,
    length_of,
    pack,
)
from batchfish.localagent.page.read import read_page


def limit_memory(most_bytes: int) -> None:
    """Limit the memory of this process, so that a huge page is a MemoryError and not a shortage."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(
        resource.RLIMIT_DATA,
        (most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard), hard),
    )


def work(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answer jobs one by one; a page that breaks the reader is an answer too."""
    decoder = msgspec.msgpack.Decoder(ReadJob | OutlineJob)
    while header := jobs.read(HEADER.size):
        job = decoder.decode(jobs.read(length_of(header)))
        answers.write(BEGUN)
        answers.flush()
        answers.write(pack(answer(job)))
        answers.flush()


def answer(job: ReadJob | OutlineJob) -> ReadAnswer:
    """Answer one job."""
    try:
        return _outline(job) if isinstance(job, OutlineJob) else _read(job)
    except (MemoryError, XMLSyntaxError):  # the parser mends all markup: it raises when memory runs out
        return ReadAnswer(code=OUT_OF_MEMORY, message="Reading the page takes more memory than it may have.")
    except Exception as bug:  # noqa: BLE001 - whatever a page does to the reader, the next page is read
        return ReadAnswer(
            code="LOCAL_CRASH", message=f"The page could not be read: {type(bug).__name__}: {bug}"
        )


def _read(job: ReadJob) -> ReadAnswer:
    reading = read_page(
        job.body,
        url=job.url,
        goal=job.goal,
        schema=job.output_schema,
        content_type=job.content_type,
        after=job.after,
    )
    return ReadAnswer(
        result=reading.result,
        code=reading.code,
        message=reading.message,
        evidence=[Found(name=one.name, where=one.where, text=one.text) for one in reading.evidence],
        next_url=reading.next_url,
        going_on=reading.going_on,
    )


def _outline(job: OutlineJob) -> ReadAnswer:
    from batchfish.localagent.engines.model.outline import outline  # the model engine alone asks for it

    written = outline(job.body, url=job.url, content_type=job.content_type)
    return ReadAnswer(result={"text": written.text, "links": written.links})


if __name__ == "__main__":
    limit_memory(int(sys.argv[1]))
    # With PYTHONUNBUFFERED, `sys.stdout.buffer` is no buffer: a signal during `write` cuts off the rest.
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as answers:
        work(sys.stdin.buffer, answers)
