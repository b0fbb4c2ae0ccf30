from tests.chaos.test_oracle import *
from tests.chaos.test_oracle import world, datasets
from ingest.models import FailedSync
def test_look(world, datasets):
    out=[l for l in found(world,datasets)]
    s=[x for x in datasets if x.name=="inventory_levels"][0]
    n=world.ledger(datasets[s],full=True)["expected"]["newest"]
    lines=out+[f"{l.external_id!r} {l.fingerprint[:12]} {str(l.error)[:90]} {str(l.raw_data)[:160]}" for l in FailedSync.objects.filter(stream=s,resolved_at=None)]+[f"{k} {v['bad']} {v['sha256'][:12]}" for k,v in n.items() if v['bad']]
    open("/tmp/wd_t.txt","w").write("\n".join(lines))
