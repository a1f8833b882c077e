"""Procedural music whose tags are known: styles, scores, instruments, mastering.

The modules in the order in which a clip passes through them: `random_streams`
(addressed random numbers), `styles` (styles as data), `attributes` (what a clip will
sound like), `tag_rules` (one rule per tag), `weak_labels` (what listeners would have
tagged), `nuisances` (what no tag may depend on), `patterns` and `score` (notes),
`melody` (voices and moods), `instruments`, `drums` and `voices` (notes to sound),
`mastering` (room, era, nuisances) and `clip` (all of it).
"""
