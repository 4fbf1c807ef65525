// Package gather answers how many concurrent callers are served by one call.
//
// A transaction each is slow where many callers want the same row. So whoever calls
// while a batch is running waits for its end and goes into the next one, together with
// all who came meanwhile. Nobody waits for a timer: alone, a caller is a batch of one.
//
// # Lanes
//
// Every caller names a key, the thing that has to be changed in order: callers of one
// key are served in order of arrival, and a key is in one running batch at most. Beyond
// that a key belongs to no lane. Lanes only bound how many batches run at once, and a
// free lane takes the keys that have waited longest. Were keys tied to lanes by their
// hash, a quiet key beside a loud one would wait for the rest of one full batch and ride
// in the next; this way it waits only while every lane is busy.
//
// A batch takes no more than one lane's share of the keys. Otherwise keys that once
// happened to meet would travel together for ever while other lanes stand idle.
//
// # Fairness
//
// A batch is filled by taking one caller of each key in turn, so a key with thousands
// waiting can't keep another one out of it. While several keys are about, one may have
// only so many requests in a batch: a loud one's batches are short, and whoever shares the
// processors with them waits less. In the queue a key may have at most as many waiting as
// there are places left: one loud key gets half of the queue, two get a third each, and
// there is always room for somebody quiet.
//
// # Failure
//
// A batch that fails is tried again one by one, in order, so that one bad request fails
// alone. The function that serves a batch must therefore bear being given a request
// again; idempotency keys do that. Callers who hang up never cancel a batch: others are
// in it. Nor does a request run whose caller left before its batch began.
package gather
